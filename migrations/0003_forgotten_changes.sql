-- Tombstones older than a day go; a reader whose position lies before what was forgotten starts afresh.
alter table output_counters add column forgotten_seq bigint not null default 0;
create index output_files_tombstones on output_files (agent_id, seq) where deleted_at is not null;
