import type { SqlRunner } from './journal.js'
import { functionName, functionsOf, namedTriggers, releaseOf, type SqlFunction } from './functions.js'
import { type CachedTable, namedColumns, literal, quoted } from './table-triggers.js'

/**
 * Puts the journal, its functions and the triggers of `tables` into the current schema where they are absent; to be run in one
 * transaction. Their names begin with a hash of what they are, and they are never replaced: a deployment puts its own beside those of others, which
 * stay for a day (two journal rows for one write do no harm).
 * @throws what the database throws for a table or a column that is not there
 */
export async function installJournal(sql: SqlRunner, tables: readonly CachedTable[]): Promise<void> {
  const schema = await currentSchema(sql)
  const release = releaseOf(tables)
  const path = `pg_catalog, ${schema}, pg_temp`
  const functions = Object.entries({ ...prefixed(release, functionsOf(tables)), cache_touch: TOUCH }).map(
    ([name, { declaration, body, isOwners }]) => {
      const rights = isOwners ? `security definer set search_path = ${path}` : ''
      const made = `${schema}.${quoted(name)}`
      const source = body.replaceAll('$schema$', () => literal(schema)).replaceAll('$release$', release)
      const text = `create or replace function ${made}${declaration} ${rights} as ${literal(source)}`
      return [name, source, isOwners ? path : '', `${text}; revoke all on function ${made} from public`]
    },
  )
  const triggers = namedTriggers(tables).map(({ table, name, event, rows, calls, fires }) => {
    const called = `${schema}.${quoted(`${release}_${functionName(calls, table)}`)}`
    const on = `${schema}.${quoted(table)}`
    return [on, name, fires, `create trigger ${name} ${event} on ${on} ${rows} execute function ${called}()`]
  })
  const values = (items: readonly string[][]): string =>
    `values ${items.map((item) => `(${item.map(literal).join(', ')})`).join(', ')}`
  const noTriggers = 'select null, null, null, null limit 0'
  // Without this a wrong column would come to light when somebody writes, and end that write.
  for (const table of tables) {
    const columns = namedColumns(table).map((name) => `${quoted(table.table)}.${quoted(name)}`)
    await sql.query(`select ${columns.join(', ')} from ${schema}.${quoted(table.table)} limit 0`)
  }
  for (const text of TABLES) await sql.query(text)
  await sql.query(`do $do$ declare
  made record;
begin
  -- One that is there is another only where the schema was renamed: it leads to what was there before.
  for made in select * from (${values(functions)}) v (name, source, path, text) loop
    continue when exists (select from pg_proc where proname = made.name and pronamespace = ${literal(schema)}::regnamespace
      and prosrc = made.source and (made.path = '' or 'search_path=' || made.path = any (proconfig)));
    execute made.text;
  end loop;
  for made in select tab::regclass as tab, name, fires, text from (${triggers.length > 0 ? values(triggers) : noTriggers}) v (tab, name, fires, text) loop
    if not exists (select from pg_trigger where tgrelid = made.tab and tgname = made.name) then execute made.text; end if;
    continue when exists (select from pg_trigger where tgrelid = made.tab and tgname = made.name
      and (tgenabled = 'A' or made.fires = 'replica' and tgenabled = 'R'));
    execute format('alter table %s enable %s trigger %I', made.tab, made.fires, made.name);
  end loop;
end $do$`)
  await sql.query(dropOldReleases(schema, release))
}

/**
 * Each release notes the others, and takes away those that it noted itself a day ago, whether the deployment after them failed, was rolled back, or
 * goes slowly. A replica that runs takes such a note back with each of its marks: so what is followed stays, also another service's. Only one's own
 * note counts, since a replica of an earlier release that starts once more notes the one that serves; where marks are more than a day apart (they
 * are a sixtieth of the longest lifetime) nothing else stands against that. It waits for nobody: where a table is in use a later start does it. The
 * locks last to the end of the transaction, so this comes last.
 */
function dropOldReleases(schema: string, own: string): string {
  return `do $do$ declare
  made record;
  used record;
begin
  for made in select *, substring(note from '^Not wanted by ${own} since (\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ)$')::timestamptz as since
    from (select oid::regprocedure as tail, left(proname, 14) as release, obj_description(oid, 'pg_proc') as note from pg_proc
      where pronamespace = ${literal(schema)}::regnamespace and proname ~ '^cache_[0-9a-f]{8}_tail$' and pg_has_role(proowner, 'usage')) as releases
  loop
    if made.release = ${literal(own)} then
      if made.note is not null then execute format('comment on function %s is null', made.tail); end if;
    elsif made.since is null then
      execute format('comment on function %s is %L', made.tail,
        to_char(now() at time zone 'UTC', '"Not wanted by ${own} since "YYYY-MM-DD"T"HH24:MI:SS"Z"'));
    elsif made.since < now() - interval '1 day' then
      begin
        for used in select distinct tgrelid::regclass as tab from pg_trigger join pg_proc p on p.oid = tgfoid
          where p.pronamespace = ${literal(schema)}::regnamespace and starts_with(p.proname::text, made.release || '_') loop
          execute format('lock table %s in access exclusive mode nowait', used.tab);
        end loop;
        for used in select oid::regprocedure as name from pg_proc
          where pronamespace = ${literal(schema)}::regnamespace and starts_with(proname::text, made.release || '_') loop
          execute format('drop function %s cascade', used.name);
        end loop;
      exception when lock_not_available then null;
      end;
    end if;
  end loop;
end $do$`
}

/**
 * "create … if not exists" would ask for the right to create although all is there, and that of an index would wait for every open
 * write, and all later ones for it, at each start of a replica.
 *
 * Unlogged: a crash or a failover empties both exactly when transaction ids may be given out again, and a write logs half as much. The
 * state has no primary key: a restored second row is to be noticed, not refused.
 */
const TABLES = [
  `do $do$ begin if to_regclass('cache_journal') is null then create unlogged table cache_journal (
    changed_in xid8 not null default pg_current_xact_id(), tags text[] not null); end if; end $do$`,
  `do $do$ begin if to_regclass('cache_journal_changed_in') is null then create index cache_journal_changed_in on cache_journal (changed_in); end if; end $do$`,
  `do $do$ begin if to_regclass('cache_journal_state') is null then create unlogged table cache_journal_state (
    epoch uuid not null,
    -- Rows that this sees may be gone, and rows that this sees are gone.
    pruned pg_snapshot not null, deleted pg_snapshot not null,
    -- Where a starting replica may begin.
    marks pg_snapshot[] not null default '{}', marked_at timestamptz[] not null default '{}'); end if; end $do$`,
]

/** The one function that is the same in every release: for changes that no trigger sees. */
const TOUCH: SqlFunction = {
  declaration: '(tags text[]) returns text language sql',
  body: `insert into cache_journal (tags) select array_agg(tag) from unnest($1) tag where tag is not null having count(*) > 0
    returning changed_in::text`,
  isOwners: true,
}

function prefixed(release: string, functions: Record<string, SqlFunction>): Record<string, SqlFunction> {
  return Object.fromEntries(Object.entries(functions).map(([name, made]) => [`${release}_${name}`, made]))
}

/** As an identifier. */
async function currentSchema(sql: SqlRunner): Promise<string> {
  const { rows } = await sql.query('select quote_ident(current_schema()) as schema')
  const [row] = rows
  return typeof row === 'object' && row !== null && 'schema' in row ? String(row.schema) : 'public'
}
