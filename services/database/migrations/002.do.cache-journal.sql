-- The invalidation journal: one row per tag, raised in the writer's own transaction (docs/cache.md).
create sequence cache_journal_version as bigint;

create table cache_journal (
  tag text primary key,
  version bigint not null,
  changed_in xid8 not null,
  changed_at timestamptz not null
);
create index cache_journal_changed_in on cache_journal (changed_in);
create index cache_journal_changed_at on cache_journal (changed_at);

-- Names this journal in Redis keys, so that entries made over another database are never read.
create table cache_journal_identity (
  id text primary key,
  secret text not null
);
insert into cache_journal_identity
values (replace(gen_random_uuid()::text, '-', ''),
        replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
