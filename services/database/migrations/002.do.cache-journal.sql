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
values (left(replace(gen_random_uuid()::text, '-', ''), 12),
        replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));

-- Raises tags in the caller's transaction and notifies every replica once it commits: what the service's own writes call,
-- and what any other client calls beside its own SQL, as its last statement before the commit:
--   select * from cache_touch(array['<user id>/designs', '<user id>/designs/<design id>']);
-- Sorted, so that two transactions with the same tags wait for each other instead of deadlocking; and the version is
-- drawn again once the row is locked, so that versions of a tag go up in the order of the commits. A payload that
-- PostgreSQL would refuse (8,000 bytes) is sent empty: "tail at once".
create function cache_touch(tags text[]) returns table (tag text, version bigint) language sql as $$
  with raised as (
    insert into cache_journal (tag, version, changed_in, changed_at)
    select sorted.tag, nextval('cache_journal_version'), pg_current_xact_id(), clock_timestamp()
    from (select distinct given.tag from unnest(tags) as given (tag) order by given.tag) as sorted
    on conflict (tag) do update set
      version = nextval('cache_journal_version'), changed_in = pg_current_xact_id(), changed_at = clock_timestamp()
    returning cache_journal.tag, cache_journal.version
  ), notified as (
    select pg_notify('cache_journal', case when octet_length(payload) > 7900 then '' else payload end)
    from (select json_agg(json_build_array(raised.tag, raised.version))::text as payload from raised) as message
  )
  select raised.tag, raised.version from raised, notified
$$;
