drop index output_files_tombstones;
alter table output_counters drop column forgotten_seq;
