/** One setting of a session, and the value it has to have here. */
interface Setting {
  readonly name: string
  readonly value: string
  /** Other values that do as well, where setting it costs round trips: behind a pooler that hands on one transaction at a time. */
  readonly isFine?: (found: string) => boolean
}

/** Times in ms; 0 is none. */
export interface Limits {
  readonly statementMs: number
  /** For a lock alone. */
  readonly lockMs?: number
  /** For the client's next statement while a transaction is open. */
  readonly idleMs: number
}

const isAnything = (): boolean => true

/**
 * Whatever a database, a role, the server's configuration or an address gives to sessions as a default, and would change what a
 * statement here means, answers, or is refused for. Those that only decide how fast it is stay the operator's, as does
 * `synchronous_commit`.
 */
function settingsFor({ statementMs, lockMs = 0, idleMs }: Limits): readonly Setting[] {
  const isNoShorter = (limit: number) => (found: string) => found === '0' || (limit > 0 && Number(found) >= limit)
  return [
    // First: a limit of 1 ms would end what sets the others.
    { name: 'statement_timeout', value: `${statementMs}`, isFine: isNoShorter(statementMs) },
    { name: 'transaction_timeout', value: '0' },
    { name: 'lock_timeout', value: `${lockMs}` },
    { name: 'idle_in_transaction_session_timeout', value: `${idleMs}`, isFine: isNoShorter(idleMs) },
    { name: 'idle_session_timeout', value: '0', isFine: isAnything },
    { name: 'default_transaction_isolation', value: 'read committed' },
    { name: 'default_transaction_read_only', value: 'off' },
    { name: 'default_transaction_deferrable', value: 'off', isFine: isAnything },
    { name: 'client_encoding', value: 'UTF8' },
    { name: 'DateStyle', value: 'ISO, MDY', isFine: (found) => found.startsWith('ISO') },
    { name: 'IntervalStyle', value: 'postgres', isFine: isAnything },
    { name: 'TimeZone', value: 'UTC', isFine: isAnything },
    { name: 'row_security', value: 'on' },
    { name: 'standard_conforming_strings', value: 'on' },
    { name: 'extra_float_digits', value: '1', isFine: (found) => Number(found) >= 1 },
    { name: 'bytea_output', value: 'hex', isFine: isAnything },
    { name: 'array_nulls', value: 'on' },
    { name: 'transform_null_equals', value: 'off' },
    { name: 'quote_all_identifiers', value: 'off', isFine: isAnything },
    { name: 'gin_fuzzy_search_limit', value: '0' },
  ]
}

/** What a connection has to begin with, since its first statement would meet them already. Every server from 14 on knows them. */
export const STARTUP_OPTIONS = '-c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0'

/** What a session was given. */
export interface GivenSession {
  /** The server's process. Behind a pooler it is not the one that the client was told at the start. */
  readonly pid: number
  /** Where the service's tables are, or are to be; null: the address or the role names a schema that is not there. */
  readonly schema: string | null
  /** What has named the schema, in the words of pg_settings: `client` is the address, `user` the role. */
  readonly path_source: string
  /** Is the server one that only repeats what another one writes? */
  readonly is_standby: boolean
  /** Where an unqualified name leads first; null: nowhere. */
  readonly current: string | null
  /** By name; of another release of PostgreSQL some may be absent. */
  readonly found: Readonly<Record<string, string>>
}

type Query = (text: string, values: readonly unknown[]) => Promise<readonly object[]>

/**
 * The schema is the first one of the search_path, so that a role or an address can name one; `public` where it leads nowhere, but null where
 * the address named one: `public` may be another service's; and where the role did, unless the tables are in `public`. What the whole database or the server was given counts only where the
 * tables are there already, and no schema counts by being called like the role once the tables are in `public`: a change of either would
 * begin an empty catalogue.
 */
const LOOK = `with path as (select current_schema() as current,
    (select source from pg_settings where name = 'search_path') as source,
    btrim(current_setting('search_path'), ' "') <> '' as is_named),
  homes as (select n.nspname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relname = 'cache_journal' and c.relkind = 'r')
  select pg_backend_pid() as pid, pg_is_in_recovery() as is_standby, current, source as path_source,
    case when current is not null or not is_named or source not in ('client', 'user')
      or (source = 'user' and 'public' in (select name from homes)) then coalesce(case
      when current in (select name from homes) then current
      when source in ('database', 'configuration file', 'command line', 'environment variable') then null
      when source = 'default' and 'public' in (select name from homes) then null
      else current end, 'public') end as schema,
    (select json_object_agg(s.name, s.setting) from pg_settings s where s.name = any($1::text[])) as found
  from path`

/** What a new session was given. */
export async function look(query: Query): Promise<GivenSession> {
  const names = settingsFor({ statementMs: 0, idleMs: 0 }).map(({ name }) => name)
  const [row] = (await query(LOOK, [names])) as readonly GivenSession[]
  if (row === undefined) throw new Error('The session tells nothing of its settings')
  return row
}

/** SQL that gives a session all its settings; '' when it has them. */
export function sessionText(given: GivenSession, schema: string, limits: Limits): string {
  const settings = settingsFor(limits).filter(({ name, value }) => isOther(given.found[name], value))
  return [...settings.map(assignment), pathOf(schema)].map((text) => `set ${text}`).join('; ')
}

/** SQL that begins a transaction under all of the settings. */
export function transactionText(given: GivenSession, schema: string, limits: Limits): string {
  const settings = settingsFor(limits).filter(({ name }) => name in given.found)
  const locals = [...settings.map(assignment), pathOf(schema)].map((text) => `set local ${text}`)
  return ['begin isolation level read committed read write', ...locals].join('; ')
}

/** Whether statements may go over a session as it was given. */
export function isFineAsGiven({ found, current }: GivenSession, schema: string, limits: Limits): boolean {
  return (
    current === schema &&
    settingsFor(limits).every(({ name, value, isFine }) => {
      const setting = found[name]
      return setting === undefined || !isOther(setting, value) || isFine?.(setting) === true
    })
  )
}

function isOther(found: string | undefined, value: string): boolean {
  return found !== undefined && found.toLowerCase() !== value.toLowerCase()
}

function assignment({ name, value }: Setting): string {
  return `${name} = '${value}'`
}

/** Temporary tables last: they would come first otherwise. */
function pathOf(schema: string): string {
  return `search_path = "${schema.replaceAll('"', '""')}", pg_temp`
}
