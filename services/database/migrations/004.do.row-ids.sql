-- The id of a new row: a UUIDv7 (RFC 9562) whose time is that of this database when the statement arrived, to the microsecond (12 bits of it
-- behind the version). Lists are ordered by it, so no clock of a replica decides where a row is filed. `nth` adds microseconds: for the
-- rows of one statement, in their order. In plpgsql, whose plans a session
-- keeps: the body of a function in SQL is parsed for each statement.
create function new_row_id(nth integer) returns uuid language plpgsql volatile as $$
declare
  microseconds bigint := extract(epoch from pg_catalog.statement_timestamp()) * 1000000 + nth;
begin
  return pg_catalog.lpad(pg_catalog.to_hex(microseconds / 1000), 12, '0')
    || pg_catalog.to_hex(x'7000'::integer + microseconds % 1000 * 4096 / 1000)
    || pg_catalog.substr(pg_catalog.gen_random_uuid()::text, 20);
end $$;

-- For who inserts without the service.
alter table users alter column id set default new_row_id(0),
  alter column created_at set default statement_timestamp(), alter column updated_at set default statement_timestamp();
alter table tokens alter column id set default new_row_id(0), alter column created_at set default statement_timestamp();
alter table templates alter column id set default new_row_id(0),
  alter column created_at set default statement_timestamp(), alter column updated_at set default statement_timestamp();
alter table designs alter column id set default new_row_id(0),
  alter column created_at set default statement_timestamp(), alter column updated_at set default statement_timestamp();
alter table mockups alter column id set default new_row_id(0),
  alter column created_at set default statement_timestamp(), alter column updated_at set default statement_timestamp();
