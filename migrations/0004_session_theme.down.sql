alter table sessions drop column theme;
