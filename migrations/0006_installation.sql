-- Which installation this is: its mark on everything that it makes outside of this database.
create table installation (
  one_row boolean primary key default true check (one_row),
  id uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now()
);
