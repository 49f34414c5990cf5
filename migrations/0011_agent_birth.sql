-- Tells an agent from another one that gets the same id after a restored database: the second never finds the first one's
-- files. Agents of before have none, and keep the names that their volumes have.
alter table agents add column birth uuid;
alter table agents alter column birth set default gen_random_uuid();
