alter table sessions drop column notice;
drop table sandbox_starts;
