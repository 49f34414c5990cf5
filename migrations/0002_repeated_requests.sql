create table repeated_requests (
  user_id bigint not null references users (id) on delete cascade,
  key text not null,
  operation text not null,
  body_sha256 text not null,
  answer jsonb not null,
  created_at timestamptz not null default now(),
  primary key (user_id, key)
);
create index repeated_requests_age on repeated_requests (created_at);
