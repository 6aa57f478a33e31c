-- The id of a new row: a UUIDv7 (RFC 9562) whose time is that of this database when the statement arrived, to the microsecond (12 bits of it
-- behind the version). Lists are ordered by it, so no clock of a replica decides where a row is filed. `nth` adds microseconds: for the
-- rows of one statement, in their order. One expression without settings of its own, so that PostgreSQL puts it into the statement.
create function new_row_id(nth integer) returns uuid language sql volatile as $$
  select (
    pg_catalog.lpad(pg_catalog.to_hex(((extract(epoch from pg_catalog.statement_timestamp()) * 1000000)::bigint + nth) / 1000), 12, '0') || '7' ||
    pg_catalog.lpad(pg_catalog.to_hex(((extract(epoch from pg_catalog.statement_timestamp()) * 1000000)::bigint + nth) % 1000 * 4096 / 1000), 3, '0') ||
    pg_catalog.substr(pg_catalog.gen_random_uuid()::text, 20)
  )::uuid
$$;

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
