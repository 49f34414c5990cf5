-- An agent at which nothing happened gives its room back and sleeps until somebody wants it.
alter table sessions drop constraint sessions_status_check;
alter table sessions add constraint sessions_status_check check (status in ('creating', 'running', 'idle', 'asleep', 'stopped', 'failed', 'deleted'));
