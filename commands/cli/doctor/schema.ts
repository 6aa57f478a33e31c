import type { Config } from '../../../plugins/config.js'
import { cachedTables, longestEntryLifetimeMs } from '../../../services/cache-map.js'
import { namedTriggers, releaseOf } from '../../../services/cache/journal/functions.js'
import { changesTriggers } from '../../../services/changes/installation.js'
import type { Database, Queryable } from '../../../services/database/index.js'
import { checksumOf, readMigrations } from '../../../services/database/migration-files.js'
import { resources } from '../../../services/domains.js'
import { fault, type Findings, ok, type Seen, warning } from './finding.js'

const MIGRATE = 'run the migrate step (npm run migrate) as the role that owns the schema, or start the service as it'
const MANY_ROWS = 1_000_000
/** Rows in excess of these are as many as nobody reads. */
const MOST_NAMED = 5

/** The tables, what this role may do with them, what writes the journal, and the journal. */
export async function lookAtSchema(findings: Findings, database: Database, config: Config): Promise<void> {
  let isMade = false
  await findings.look('schema', async () => {
    const seen = await migrations(database)
    isMade = seen.isMade
    return seen.seen
  })
  if (!isMade) return void (await findings.look('rights', () => mayMake(database)))
  if (!(await findings.look('rights', () => rights(database)))) return
  await findings.look('triggers', () => triggers(database, config.isChangesOn))
  await findings.look('journal', () => journal(database, longestEntryLifetimeMs(config.cacheTtlSeconds)))
}

async function migrations(database: Queryable): Promise<{ readonly isMade: boolean; readonly seen: Seen }> {
  const there = await database.query({
    name: 'doctor.record',
    text: `select where to_regclass('roundhouse_migrations') is not null`,
  })
  if (there.length === 0) return { isMade: false, seen: warning('the tables are not made yet', MIGRATE) }
  const rows = await database.query<{ name: string; checksum: string }>({
    name: 'doctor.migrations',
    text: 'select name, checksum from roundhouse_migrations',
  })
  const ran = new Map(rows.map(({ name, checksum }) => [name, checksum]))
  const known = readMigrations()
  const edited = known.filter((one) => (ran.get(one.name) ?? checksumOf(one)) !== checksumOf(one))
  const missing = known.filter(({ name }) => !ran.has(name))
  const newer = [...ran.keys()].filter((name) => !known.some((one) => one.name === name))
  const names = (list: readonly { number: number; name: string }[]): string =>
    few(list.map(({ number, name }) => `${number}.${name}`))
  if (edited.length > 0) {
    const found = `${names(edited)} ran here with another text`
    return { isMade: true, seen: fault(found, 'put the files back, and change the schema by new ones') }
  }
  if (missing.length > 0) return { isMade: true, seen: warning(`${names(missing)} did not run yet`, MIGRATE) }
  const more = newer.length === 0 ? '' : `, and ${newer.length} of a newer release`
  return { isMade: true, seen: ok(`all ${known.length} migrations ran${more}`) }
}

async function mayMake(database: Queryable): Promise<Seen> {
  const [row] = await database.query<{ schema: string | null; role: string; may: boolean | null }>({
    name: 'doctor.may-make',
    text: `select current_schema()::text as schema, current_user::text as role,
      has_schema_privilege(current_schema(), 'create') as may`,
  })
  if (row?.may === true) return ok(`${row.role} may make tables in the schema ${row.schema}`)
  const schema = row?.schema ?? 'public'
  const change = `grant usage, create on schema ${schema} to ${row?.role}, or run the migrate step as a role that may`
  return fault(`${row?.role} may not make tables in the schema ${schema}`, change)
}

/** Of the tables that the migrations name and that are there. */
async function rights(database: Queryable): Promise<Seen> {
  const made = readMigrations().flatMap(({ text }) =>
    [...text.matchAll(/create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?(\w+)/gi)].map(
      ([, name = '']) => name,
    ),
  )
  const tables = [...new Set([...made, 'cache_journal', 'cache_journal_state'])]
  const [row] = await database.query<{
    role: string
    schema: string
    owner: string
    is_owner: boolean
    lacks: string[]
  }>({
    name: 'doctor.rights',
    text: `with t as (select c.oid, c.relname, c.relowner from pg_class c
        where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and c.relname = any($1::text[]))
      select current_user::text as role, current_schema()::text as schema, min(pg_get_userbyid(t.relowner)::text) as owner,
        bool_and(pg_has_role(t.relowner, 'usage')) as is_owner,
        array(select distinct p.name || ' on ' || t.relname from t, unnest(array['select', 'insert', 'update', 'delete']) p (name)
          where not has_table_privilege(t.oid, p.name) order by 1) as lacks from t`,
    values: [tables],
  })
  if (row === undefined) throw new Error('The database tells nothing of rights')
  const { role, schema, owner, is_owner: isOwner, lacks } = row
  if (lacks.length > 0) {
    const grants = `grant usage on schema ${schema} to ${role}; grant select, insert, update, delete on all tables in schema ${schema} to ${role}`
    return fault(`${role} lacks ${few(lacks)}`, `as ${owner}: ${grants}`)
  }
  return ok(
    isOwner ? `${role} owns the tables` : `${role} may use the tables of ${owner}, who has to run the migrate step`,
  )
}

interface Wanted {
  readonly table: string
  readonly name: string
  readonly states: readonly string[]
}

async function triggers(database: Queryable, isChangesOn: boolean): Promise<Seen> {
  const ofCache: Wanted[] = namedTriggers(cachedTables).map(({ table, name, fires }) => {
    return { table, name, states: fires === 'always' ? ['A'] : ['A', 'R'] }
  })
  const ofFeed: Wanted[] = isChangesOn
    ? changesTriggers(resources).map(({ table, name }) => ({ table, name, states: ['A'] }))
    : []
  const rows = await database.query<{ table: string; name: string; state: string }>({
    name: 'doctor.triggers',
    text: `select c.relname::text as table, t.tgname::text as name, t.tgenabled::text as state
      from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where c.relnamespace = current_schema()::regnamespace and not t.tgisinternal`,
  })
  const there = new Map(rows.map(({ table, name, state }) => [`${name} on ${table}`, state]))
  const stateOf = ({ table, name }: Wanted): string | undefined => there.get(`${name} on ${table}`)
  const wanted = [...ofCache, ...ofFeed]
  const missing = wanted.filter((one) => stateOf(one) === undefined)
  const off = wanted.filter((one) => !one.states.includes(stateOf(one) ?? one.states[0] ?? ''))
  const names = (list: readonly Wanted[]): string => few(list.map(({ table, name }) => `${name} on ${table}`))
  if (ofCache.every((one) => missing.includes(one))) return warning('those there are of another release', MIGRATE)
  const words = [
    ...(missing.length > 0 ? [`missing: ${names(missing)}`] : []),
    ...(off.length > 0 ? [`off, or not "enable always": ${names(off)}`] : []),
  ]
  if (words.length > 0) return fault(`${words.join('; ')}: what changes there is not heard of`, MIGRATE)
  return ok(`all ${wanted.length} are there and on`)
}

interface JournalFacts {
  readonly rows: number
  readonly bytes: number
  readonly states: number
  readonly marks: number
  readonly oldest_ms: number | null
  readonly newest_ms: number | null
}

async function journal(database: Database, lifetimeMs: number): Promise<Seen> {
  const ageOf = (position: string): string =>
    `(select extract(epoch from clock_timestamp() - marked_at[${position}])::float8 * 1000 from cache_journal_state limit 1)`
  const [facts] = await database.query<JournalFacts>({
    name: 'doctor.journal',
    text: `select (select count(*)::integer from cache_journal) as rows,
      pg_total_relation_size('cache_journal')::float8 as bytes,
      (select count(*)::integer from cache_journal_state) as states,
      coalesce((select cardinality(marks) from cache_journal_state limit 1), 0) as marks,
      ${ageOf('1')} as oldest_ms, ${ageOf('cardinality(marked_at)')} as newest_ms`,
  })
  if (facts === undefined) throw new Error('The journal tells nothing of itself')
  // By the function that replicas read it with: that writes nothing.
  const [row] = await database.query<{ answer: string }>({
    name: 'doctor.tail',
    text: `select ${releaseOf(cachedTables)}_tail(null, null, '1')::text as answer`,
  })
  const { fault: found, is_broken: isBroken }: { fault?: string | null; is_broken?: boolean } = JSON.parse(
    row?.answer ?? '{}',
  )
  const size = `${facts.rows.toLocaleString('en-US')} rows, ${(facts.bytes / 1_048_576).toFixed(1)} MiB`
  if (typeof found === 'string') return fault(found, await withoutChildren(database))
  // The embedded database ends without saving what is unlogged.
  if (isBroken === true && database.kind === 'pglite') return ok(`${size}: the start makes it anew`)
  if (isBroken === true) {
    return warning(`${size}, of another history of this database (a restore?)`, 'start the service: it makes it anew')
  }
  const marks =
    facts.oldest_ms === null || facts.newest_ms === null
      ? 'no marks yet'
      : `${facts.marks} marks from ${minutes(facts.oldest_ms)} to ${minutes(facts.newest_ms)} ago`
  const isLate =
    facts.oldest_ms !== null && facts.newest_ms !== null && facts.oldest_ms - facts.newest_ms > 3 * lifetimeMs
  if (facts.rows > MANY_ROWS || isLate) {
    return warning(
      `${size}, ${marks}: it is not pruned`,
      'does a service run, and is an old transaction open (pg_stat_activity)?',
    )
  }
  return ok(`${size}, ${marks}`)
}

/** The migrate step takes no child table away. */
async function withoutChildren(database: Queryable): Promise<string> {
  const children = await database.query<{ detach: string }>({
    name: 'doctor.children',
    text: `select format('alter table %s no inherit %s', i.inhrelid::regclass, i.inhparent::regclass) as detach
      from pg_inherits i join pg_class c on c.oid = i.inhparent
      where c.relnamespace = current_schema()::regnamespace and c.relname = any($1::text[]) order by 1`,
    values: [cachedTables.map(({ table }) => table)],
  })
  if (children.length === 0) return MIGRATE
  return `drop or detach them: ${few(children.map(({ detach }) => detach))}; then ${MIGRATE}`
}

function minutes(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000).toLocaleString('en-US')} min`
}

function few(names: readonly string[]): string {
  const more = names.length - MOST_NAMED
  return names.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
