create table users (
  id bigserial primary key,
  username text not null unique,
  email text not null unique,
  display_name text not null,
  password_hash text not null,
  role text not null default 'user' check (role in ('user', 'admin')),
  theme text not null default 'system' check (theme in ('system', 'light', 'dark')),
  screen_reader boolean not null default false,
  disabled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table logins (
  id text primary key,
  user_id bigint not null references users (id) on delete cascade,
  user_agent text not null default '',
  address text not null default '',
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index logins_user on logins (user_id);
create index logins_expiry on logins (expires_at);

create table invitations (
  code_hash text primary key,
  email text,
  created_by bigint not null references users (id) on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);

create table system_settings (
  key text primary key,
  value jsonb not null,
  updated_by bigint references users (id) on delete set null,
  updated_at timestamptz not null default now()
);

create table user_settings (
  user_id bigint not null references users (id) on delete cascade,
  key text not null,
  value jsonb not null,
  updated_at timestamptz not null default now(),
  primary key (user_id, key)
);

create table agents (
  id bigserial primary key,
  created_by bigint not null references users (id) on delete cascade,
  name text not null,
  description text not null default '',
  icon text not null default 'bot',
  instructions text not null default '',
  config jsonb not null,
  secrets jsonb not null default '{}',
  cpu_limit real,
  memory_limit_mb integer,
  version integer not null default 1,
  generation integer not null default 0,
  started_version integer not null default 0,
  restart_version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
create index agents_created_by on agents (created_by);

create table sandbox_tokens (
  token_hash text primary key,
  agent_id bigint not null unique references agents (id) on delete cascade,
  generation integer not null,
  created_at timestamptz not null default now()
);

create table sessions (
  id uuid primary key,
  user_id bigint not null references users (id) on delete cascade,
  agent_id bigint not null references agents (id) on delete cascade,
  status text not null default 'creating' check (status in ('creating', 'running', 'idle', 'stopped', 'failed', 'deleted')),
  steps jsonb not null default '[]',
  reason text,
  warning text,
  activity text check (activity in ('working', 'waiting', 'needs-you')),
  activity_detail text,
  started_at timestamptz not null default now(),
  ready_at timestamptz,
  last_active timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index sessions_one_per_agent on sessions (agent_id) where status <> 'deleted';
create index sessions_user on sessions (user_id);

-- "C" collation: paths are bytes, and a prefix is a range.
create table output_files (
  id bigserial primary key,
  agent_id bigint not null references agents (id) on delete cascade,
  path text collate "C" not null,
  size bigint not null check (size >= 0),
  sha256 text not null,
  content_type text not null,
  storage_key text not null,
  seq bigint not null,
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint output_files_path unique (agent_id, path)
);
create index output_files_seq on output_files (agent_id, seq);

create table output_counters (
  agent_id bigint primary key references agents (id) on delete cascade,
  last_seq bigint not null default 0,
  used_bytes bigint not null default 0 check (used_bytes >= 0),
  file_count integer not null default 0 check (file_count >= 0)
);

create table orphaned_objects (
  storage_key text primary key,
  orphaned_at timestamptz not null default now()
);
