alter table agents drop column birth;
