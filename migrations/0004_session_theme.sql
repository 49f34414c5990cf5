-- A terminal keeps the colours that its program was started with, whatever the page shows around it.
alter table sessions add column theme text not null default 'dark' check (theme in ('light', 'dark'));
