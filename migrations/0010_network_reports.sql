-- What each sandbox has found out about its network: whether anything keeps it apart.
create table network_reports (
  agent_id bigint primary key references agents (id) on delete cascade,
  -- The start that it was found out in.
  generation integer not null,
  network text not null check (network in ('open', 'closed')),
  reported_at timestamptz not null default now()
);
create index network_reports_open on network_reports (reported_at) where network = 'open';
