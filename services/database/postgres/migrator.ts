import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../cache/index.js'
import { CanNotStartError, unavailable } from '../errors.js'
import type { ScriptRunner } from '../migratable.js'
import { PostgresConnection } from './connection.js'
import type { PostgresConnector } from './connector.js'

/** Held while migrating. Any number will do, as long as every release uses the same. */
const MIGRATION_LOCK = 4_917_305_581

/**
 * Statements take as long as they take, but no longer than this for a lock, since everybody else queues up behind it; and a migrator
 * that has stopped or vanished is ended by the server, in ms.
 */
const LIMITS = { statementMs: 0, lockMs: 10_000, idleMs: 20_000 }

/** How long one process waits for another one's migration, in ms; how often it asks, and how often it tells. */
const LOCK_LIMIT_MS = 30_000
const ASK_EVERY_MS = 250
const TELL_EVERY_MS = 5_000

export interface MigratorOptions {
  readonly connector: PostgresConnector
  readonly onQuery: (statementName: string) => void
  /** Told of who has the lock. */
  readonly onWait: (holder: string) => void
}

/**
 * Runs `work` in one transaction, over a connection of its own, that no other process runs at the same time.
 * @throws CanNotStartError when another process has been at it for too long, DatabaseUnavailableError
 */
export async function runExclusively<T>(
  { connector, onQuery, onWait }: MigratorOptions,
  work: (runner: ScriptRunner) => Promise<T>,
): Promise<T> {
  const client = await connector.connect()
  try {
    const connection = new PostgresConnection(client, { onQuery })
    const begin = await connector.beginning(client, LIMITS).catch((error: unknown) => {
      throw unavailable(error)
    })
    const startedAt = systemClock.now()
    for (let toldAt = Number.NEGATIVE_INFINITY; ;) {
      const attempt = await connection.transaction(begin, () => attemptOn(connection, work))
      if ('result' in attempt) return attempt.result
      const now = systemClock.now()
      if (now - startedAt >= LOCK_LIMIT_MS) throw new CanNotStartError(gaveUp(attempt.holder))
      if (now - toldAt >= TELL_EVERY_MS) {
        onWait(attempt.holder.words)
        toldAt = now
      }
      await sleep(ASK_EVERY_MS)
    }
  } finally {
    await client.end()
  }
}

interface Holder {
  readonly words: string
  readonly pid: number | null
}

/** Never waits for the lock in the server, where nobody sees it. */
async function attemptOn<T>(
  connection: PostgresConnection,
  work: (runner: ScriptRunner) => Promise<T>,
): Promise<{ readonly result: T } | { readonly holder: Holder }> {
  const locked = await connection.script(`select where pg_try_advisory_xact_lock(${MIGRATION_LOCK})`)
  if (locked.rows.length === 0) return { holder: await holderOn(connection) }
  const runner: ScriptRunner = {
    query: async (text) => (await connection.script(text)).rows,
    script: async (text) => void (await connection.script(text)),
  }
  return { result: await work(runner) }
}

/** What one may see of another role's session is null otherwise. */
const HOLDER = `select l.pid, a.application_name as name, host(a.client_addr) as host, a.state,
    extract(epoch from clock_timestamp() - a.xact_start)::integer as seconds
  from pg_locks l left join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select oid from pg_database where datname = current_database())
    and (l.classid::bigint << 32 | l.objid::bigint) = ${MIGRATION_LOCK}`

interface HolderRow {
  readonly pid: number | null
  readonly name: string | null
  readonly host: string | null
  readonly state: string | null
  readonly seconds: number | null
}

async function holderOn(connection: PostgresConnection): Promise<Holder> {
  const [row] = (await connection.script(HOLDER)).rows as HolderRow[]
  if (row === undefined) return { pid: null, words: 'Another process was migrating until this moment' }
  const { pid, name, host, state, seconds } = row
  const who = pid === null ? 'a prepared transaction' : `process ${pid} of the server`
  const details = [name && `"${name}"`, host && `from ${host}`, state].filter(Boolean).join(', ')
  const since = seconds === null ? '' : ` for ${seconds} s`
  return { pid, words: `Another migration has the lock${since}: ${who}${details && ` (${details})`}` }
}

function gaveUp({ words, pid }: Holder): string {
  const end = pid === null ? '' : `; if it will not come to an end, end it by: select pg_terminate_backend(${pid})`
  return `${words}. Waited ${LOCK_LIMIT_MS / 1_000} s for it. Start again when it is done${end}`
}
