-- Every start of a sandbox: what it came to, the words that its owner saw, and the system's own words for admins.
create table sandbox_starts (
  id bigserial primary key,
  agent_id bigint not null references agents (id) on delete cascade,
  -- The session's start that it belongs to.
  started_at timestamptz not null,
  generation integer,
  outcome text not null default 'starting' check (outcome in ('starting', 'ready', 'failed', 'ended')),
  -- What had ended the sandbox before, where it came back by itself.
  cause text,
  reason text,
  evidence text,
  steps jsonb not null default '[]',
  ready_at timestamptz,
  ended_at timestamptz,
  constraint sandbox_starts_once unique (agent_id, started_at)
);
-- What an admin did with an agent, for its owner; gone with the owner's next start.
alter table sessions add column notice text;
