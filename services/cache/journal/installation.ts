import type { SqlRunner } from './journal.js'
import { functionsOf, namedTriggers, releaseOf, type SqlFunction } from './postgres-journal.js'
import { type CachedTable, literal, quoted } from './table-triggers.js'

/**
 * Puts the journal, its functions and the triggers of `tables` into the current schema where they are absent; to be run in one
 * transaction. Their names end in a hash of what they are, and they are never replaced: a deployment puts its own beside those of the one
 * before, and takes older ones away. (Two journal rows for one write do no harm.)
 */
export async function installJournal(sql: SqlRunner, tables: readonly CachedTable[]): Promise<void> {
  const schema = await currentSchema(sql)
  const release = releaseOf(tables)
  const path = `pg_catalog, ${schema}, pg_temp`
  const functions = Object.entries({ ...prefixed(release, functionsOf(tables)), cache_touch: TOUCH }).map(
    ([name, { declaration, body, isOwners }]) => {
      const rights = isOwners ? `security definer set search_path = ${path}` : ''
      const made = `${schema}.${quoted(name)}`
      const source = body.replaceAll('$schema$', literal(schema)).replaceAll('$release$', release)
      const text = `create or replace function ${made}${declaration} ${rights} as ${literal(source)}`
      return [name, source, isOwners ? path : '', `${text}; revoke all on function ${made} from public`]
    },
  )
  const triggers = namedTriggers(tables).map(({ table, name, event, rows, calls, fires }) => {
    const called = `${schema}.${quoted(`${release}_${calls}_${table}`)}`
    const on = `${schema}.${quoted(table)}`
    return [on, name, fires, `create trigger ${name} ${event} on ${on} ${rows} execute function ${called}()`]
  })
  const values = (items: readonly string[][]): string =>
    items.map((item) => `(${item.map(literal).join(', ')})`).join(', ')
  for (const text of TABLES) await sql.query(text)
  await sql.query(`do $do$ declare
  made record;
begin
  -- One that is there is another only where the schema was renamed: it leads to what was there before.
  for made in select * from (values ${values(functions)}) v (name, source, path, text) loop
    continue when exists (select from pg_proc where proname = made.name and pronamespace = ${literal(schema)}::regnamespace
      and prosrc = made.source and (made.path = '' or 'search_path=' || made.path = any (proconfig)));
    execute made.text;
  end loop;
  for made in select tab::regclass as tab, name, fires, text from (values ${values(triggers)}) v (tab, name, fires, text) loop
    if not exists (select from pg_trigger where tgrelid = made.tab and tgname = made.name) then execute made.text; end if;
    continue when exists (select from pg_trigger where tgrelid = made.tab and tgname = made.name
      and (tgenabled = 'A' or made.fires = 'replica' and tgenabled = 'R'));
    execute format('alter table %s enable %s trigger %I', made.tab, made.fires, made.name);
  end loop;
  -- What is neither of this release nor of the newest other one.
  for made in select p.oid::regprocedure as name from pg_proc p
    where p.pronamespace = ${literal(schema)}::regnamespace and p.proname ~ '^cache_[0-9a-f]{8}_' and left(p.proname, 14) not in (
      '${release}', coalesce((select left(f.proname, 14) from pg_proc f where f.pronamespace = p.pronamespace
        and f.proname ~ '^cache_[0-9a-f]{8}_tail$' and left(f.proname, 14) <> '${release}' order by f.oid desc limit 1), '')) loop
    execute format('drop function %s cascade', made.name);
  end loop;
end $do$`)
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
  body: 'insert into cache_journal (tags) select $1 where cardinality($1) > 0 returning changed_in::text',
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
