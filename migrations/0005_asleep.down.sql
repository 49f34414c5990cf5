update sessions set status = 'stopped' where status = 'asleep';
alter table sessions drop constraint sessions_status_check;
alter table sessions add constraint sessions_status_check check (status in ('creating', 'running', 'idle', 'stopped', 'failed', 'deleted'));
