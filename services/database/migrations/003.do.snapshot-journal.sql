-- The journal of versions goes; migrate.ts puts the snapshot journal (services/cache/journal-sql.ts) in its place.
drop function if exists catalogue_rows_changed, catalogue_users_changed, catalogue_tokens_changed cascade;
drop function if exists catalogue_raise (text[], text[]);
drop function cache_touch (text[]);
drop table cache_journal;
drop sequence cache_journal_version;
drop table cache_journal_identity;

-- What seals version tokens where TOKEN_SECRET is not set. Restores and clones carry it along; it never changes by itself.
create table service_secrets (
  name text primary key,
  secret text not null
);
insert into service_secrets
values ('tokens', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
