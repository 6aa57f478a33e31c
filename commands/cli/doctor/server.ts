import type { Database } from '../../../services/database/index.js'
import { refusalOf } from '../../../services/database/server-check.js'
import { fault, type Findings, ok, type Seen, warning } from './finding.js'

/** Of one replica beside its pool: marks and clears, the journal's tails, LISTEN, health and reports, and one that tries a silent server. */
const SESSIONS = 5
const LONG_TRANSACTION_SECONDS = 300
/** Lifetimes and logs go by clocks; the coherence of the cache does not. */
const MOST_SKEW_MS = 1_000

interface Facts {
  readonly version: number
  readonly version_text: string
  readonly encoding: string
  readonly is_standby: boolean
  readonly is_read_only: boolean
  /** What takes that away, where a role or the database was given it. */
  readonly read_only_resets: readonly string[]
  readonly fsync: string
  readonly full_page_writes: string
  readonly connections: number
  readonly connections_used: number
  readonly oldest_seconds: number | null
  readonly prepared: number
}

const FACTS = `select current_setting('server_version_num')::integer as version, current_setting('server_version') as version_text,
  getdatabaseencoding()::text as encoding, pg_is_in_recovery() as is_standby,
  exists (select from pg_settings where name = 'default_transaction_read_only' and reset_val = 'on') as is_read_only,
  array(select format('alter %s reset default_transaction_read_only', concat_ws(' in ',
        case when s.setrole <> 0 then format('role %I', pg_get_userbyid(s.setrole)) when s.setdatabase = 0 then 'role all' end,
        case when s.setdatabase <> 0 then format('database %I', current_database()) end))
      from pg_db_role_setting s, unnest(s.setconfig) c
      where s.setrole in (0, session_user::regrole) and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
        and c ~* '^default_transaction_read_only=(on|true|yes|1)$' order by 1) as read_only_resets,
  current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
  current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as connections,
  (select sum(numbackends)::integer - 1 from pg_stat_database) as connections_used,
  (select extract(epoch from clock_timestamp() - min(xact_start))::integer from pg_stat_activity
    where backend_type = 'client backend' and datname = current_database() and pid <> pg_backend_pid()) as oldest_seconds,
  (select count(*)::integer from pg_prepared_xacts where database = current_database()) as prepared`

/** @returns whether there is a server that the service can use */
export async function lookAtServer(findings: Findings, database: Database, poolSize: number): Promise<boolean> {
  const isThere = await findings.look('database', async () => {
    const startedAt = performance.now()
    await database.query({ name: 'doctor.reach', text: 'select 1' })
    return ok(`answers (${Math.round(performance.now() - startedAt)} ms with the connecting)`)
  })
  if (!isThere) return false
  let isUsable = false
  await findings.look('database', async () => {
    const [facts] = await database.query<Facts>({ name: 'doctor.server', text: FACTS })
    if (facts === undefined) throw new Error('The database tells nothing of itself')
    const refusal = refusalOf(facts)
    isUsable = refusal === undefined
    return [
      refusal === undefined
        ? ok(`PostgreSQL ${facts.version_text}, ${facts.encoding}`)
        : { result: 'fault', found: refusal },
      ...(database.kind === 'postgres' ? ofServer(facts, poolSize) : []),
      ...transactions(facts),
    ]
  })
  await findings.look('clocks', () => clock(database))
  return isUsable
}

function ofServer(facts: Facts, poolSize: number): Seen[] {
  const free = facts.connections - facts.connections_used
  const needed = poolSize + SESSIONS
  const seen = `${facts.connections_used} of ${facts.connections} connections are in use, and a replica takes up to ${needed}`
  return [
    ...(facts.is_standby
      ? [fault('the server is a standby, and takes no writes', 'let DATABASE_URL lead to the primary')]
      : []),
    ...(facts.is_read_only
      ? [
          warning(
            'transactions are read-only by default; the service sets that right for itself',
            readWriteAgain(facts),
          ),
        ]
      : []),
    free < needed ? warning(seen, 'raise max_connections, or lower DATABASE_POOL_SIZE') : ok(seen),
    ...(facts.fsync === 'off' || facts.full_page_writes === 'off'
      ? [
          warning(
            `fsync is ${facts.fsync}, full_page_writes ${facts.full_page_writes}: a crash of the machine destroys the database`,
            'turn both on',
          ),
        ]
      : []),
  ]
}

/** Who is read-only by default may not even change that default before saying otherwise, which holds from the next transaction on. */
function readWriteAgain({ read_only_resets: resets }: Facts): string {
  const ofServer = ['alter system reset default_transaction_read_only', 'select pg_reload_conf()']
  const steps = ['set default_transaction_read_only = off', ...(resets.length > 0 ? resets : ofServer)]
  return `statement by statement, in one session: ${steps.join('; ')}${resets.length > 0 ? '' : ' (or it is in the file of the server, or in the options of the address)'}`
}

function transactions({ oldest_seconds: seconds, prepared }: Facts): Seen[] {
  return [
    ...(seconds !== null && seconds > LONG_TRANSACTION_SECONDS
      ? [
          warning(
            `a transaction is open for ${seconds} s: nothing newer can be cleaned up`,
            'end it (pg_stat_activity)',
          ),
        ]
      : []),
    ...(prepared > 0
      ? [warning(`${prepared} prepared transactions are open`, 'commit them or roll them back (pg_prepared_xacts)')]
      : []),
  ]
}

async function clock(database: Database): Promise<Seen> {
  const before = Date.now()
  const [row] = await database.query<{ ms: number }>({
    name: 'doctor.clock',
    text: 'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
  })
  return skewOf('the database', Number(row?.ms), before, Date.now())
}

/** Of a clock that was read between two looks at ours. */
export function skewOf(whose: string, ms: number, before: number, after: number): Seen {
  const skewMs = ms < before ? ms - before : ms > after ? ms - after : 0
  const seen = `the clock of ${whose} is ${Math.abs(Math.round(skewMs))} ms ${skewMs < 0 ? 'behind' : 'ahead of'} this machine’s`
  if (Math.abs(skewMs) <= MOST_SKEW_MS) return ok(skewMs === 0 ? `the clock of ${whose} is this machine’s` : seen)
  return warning(seen, 'let both machines set their clocks by NTP: lifetimes and logs go by them')
}
