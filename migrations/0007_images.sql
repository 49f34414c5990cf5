-- Which image an agent is to run and which one it runs, and the change of images of many agents in waves.
alter table agents add column image text, add column started_image text;

create table rollouts (
  id bigserial primary key,
  image text,
  wave_size integer not null check (wave_size > 0),
  max_failures integer not null check (max_failures > 0),
  quiet_seconds integer not null check (quiet_seconds >= 0),
  busy_until timestamptz not null,
  status text not null default 'running' check (status in ('running', 'done', 'stopped', 'canceled')),
  reason text,
  wave integer not null default 0,
  created_by bigint references users (id) on delete set null,
  created_at timestamptz not null default now(),
  finished_at timestamptz
);
create index rollouts_status on rollouts (status);

create table rollout_agents (
  id bigserial primary key,
  rollout_id bigint not null references rollouts (id) on delete cascade,
  agent_id bigint references agents (id) on delete set null,
  user_id bigint not null,
  name text not null,
  state text not null default 'queued' check (state in ('queued', 'updating', 'done', 'failed', 'skipped')),
  wave integer,
  going_back boolean not null default false,
  former_image text,
  former_started text,
  reason text,
  attempts integer not null default 0,
  retry_at timestamptz,
  updated_at timestamptz not null default now()
);
create index rollout_agents_rollout on rollout_agents (rollout_id, state);
-- An agent is changed by one rollout at a time.
create unique index rollout_agents_one_active on rollout_agents (agent_id) where state in ('queued', 'updating');
