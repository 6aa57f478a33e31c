-- Opt-in (npm run migrate -- --with-triggers): whoever changes a row of the catalogue in SQL raises its tags too, in the same
-- transaction. The service's own connections are left out: they raise what they change themselves, last of all, so that
-- the journal's row locks are short. A statement that touches more than 1,000 tags raises its owners' own tags.

create or replace function catalogue_raise(touched text[], owners text[]) returns void language sql as $$
  select cache_touch(case when cardinality(touched) > 1000 then owners else touched end)
$$;

create or replace function catalogue_rows_changed() returns trigger language plpgsql as $$
declare
  touched text[];
  owners text[];
begin
  if current_setting('application_name') = 'roundhouse' then return null; end if;
  select array_agg(distinct user_id || '/all') into owners from changed;
  select array_agg(distinct tag) into touched from (
    select user_id || '/' || tg_table_name as tag from changed
    union all
    select user_id || '/' || tg_table_name || '/' || id from changed
    union all
    select mockups.user_id || '/mockups/' || mockups.id from mockups join changed on
      case tg_table_name when 'templates' then mockups.template_id when 'designs' then mockups.design_id end = changed.id
    union all
    select designs.user_id || '/designs/' || designs.id from designs join changed on
      tg_table_name = 'templates' and designs.template_ids @> array[changed.id]
  ) as tags;
  if touched is not null then perform catalogue_raise(touched, owners); end if;
  return null;
end
$$;

create or replace function catalogue_users_changed() returns trigger language plpgsql as $$
declare
  touched text[];
  owners text[];
begin
  if current_setting('application_name') = 'roundhouse' then return null; end if;
  select array_agg(id || '/all') into owners from changed;
  select array_agg(tag) into touched from (
    select id || '/profile' as tag from changed
    union all
    select id || '/tokens' from changed
    union all
    select id || '/all' from changed where tg_op = 'DELETE'
  ) as tags;
  if touched is not null then perform catalogue_raise(touched, owners); end if;
  return null;
end
$$;

create or replace function catalogue_tokens_changed() returns trigger language plpgsql as $$
declare
  touched text[];
begin
  if current_setting('application_name') = 'roundhouse' then return null; end if;
  select array_agg(distinct user_id || '/tokens') into touched from changed;
  if touched is not null then perform cache_touch(touched); end if;
  return null;
end
$$;

-- The old rows of an update count as well: one may have had another owner.
do $$
declare
  watched record;
begin
  for watched in
    select * from (values
      ('designs', 'catalogue_rows_changed'), ('templates', 'catalogue_rows_changed'), ('mockups', 'catalogue_rows_changed'),
      ('users', 'catalogue_users_changed'), ('tokens', 'catalogue_tokens_changed')
    ) as tables (name, handler)
  loop
    execute format('create or replace trigger catalogue_inserted after insert on %I
      referencing new table as changed for each statement execute function %I()', watched.name, watched.handler);
    execute format('create or replace trigger catalogue_deleted after delete on %I
      referencing old table as changed for each statement execute function %I()', watched.name, watched.handler);
    execute format('create or replace trigger catalogue_updated_from after update on %I
      referencing old table as changed for each statement execute function %I()', watched.name, watched.handler);
    execute format('create or replace trigger catalogue_updated_to after update on %I
      referencing new table as changed for each statement execute function %I()', watched.name, watched.handler);
  end loop;
end
$$;
