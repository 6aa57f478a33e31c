import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { until } from '../../helpers/deadline.js'
import { startPgbouncer } from '../../helpers/servers/pgbouncer.js'
import { type PostgresServer, startPostgres } from '../../helpers/servers/postgres.js'
import { startRedis } from '../../helpers/servers/redis.js'
import type { Engine } from '../drill.js'
import type { Fault } from '../faults.js'
import { Link } from '../link.js'
import type { Servers, Stage } from '../stage.js'
import { roundsOf } from './rounds.js'

const CHANGE_MS = 30_000
/** For so long the standby of a lossy promotion receives nothing. */
const LAG_MS = 500
/** By then every replica has noticed that its server is gone. */
const NOTICED_MS = 2_000

export interface StandbyOptions {
  /** A commit waits for the standby; else the last ones may be lost. */
  readonly isSynchronous: boolean
  /** A transaction pooler stands between replicas and server: it is killed, and led to the promoted standby. */
  readonly isPooled: boolean
}

/** A primary with a streaming standby, which is promoted while the replicas serve. */
export function standby({ isSynchronous, isPooled }: StandbyOptions): Engine {
  let other: PostgresServer | undefined
  let truth: Link | undefined
  let pooler: Awaited<ReturnType<typeof startPgbouncer>> | undefined

  const start = async (): Promise<Servers> => {
    const [primary, redis] = await Promise.all([startPostgres(), startRedis()])
    const url = new URL(await primary.createDatabase())
    const copy = await startPostgres({}, { standbyOf: primary })
    const link = await Link.open(primary.port)
    ;[other, truth] = [copy, link]
    if (isSynchronous) await settings(primary, `synchronous_standby_names = '*'`)
    const pool = isPooled ? await startPgbouncer(primary.port, { connections: 30 }) : undefined
    pooler = pool
    url.port = String(link.port)
    return {
      postgres: primary,
      redis,
      databaseUrl: url.href,
      ...(pool && {
        env: ({ databaseUrl }) => ({ DATABASE_URL: pool.urlOf(databaseUrl), DATABASE_UNPOOLED_URL: databaseUrl }),
      }),
      async stop() {
        link.close()
        await pool?.stop()
        await Promise.all([redis.stop(), copy.stop(), primary.stop()])
      },
    }
  }

  const promote: Fault = async ({ stage }) => {
    if (other === undefined || truth === undefined) throw new Error('There is no standby')
    const onStandby = new pg.Client(other.url)
    await onStandby.connect()
    const receiver = isSynchronous ? undefined : await receiverOf(onStandby)
    if (receiver !== undefined) process.kill(receiver, 'SIGSTOP')
    await sleep(receiver === undefined ? 0 : LAG_MS)
    await stage.postgres.kill()
    if (receiver !== undefined) process.kill(receiver, 'SIGCONT')
    const links = [...stage.postgresLinks, truth]
    for (const link of links) link.cut()
    await onStandby.query('select pg_promote(wait => false)')
    const isPrimary = async (): Promise<boolean> =>
      (await onStandby.query<{ is: boolean }>('select pg_is_in_recovery() as is')).rows[0]?.is === false
    await until(isPrimary, { timeoutMs: CHANGE_MS, describe: 'the standby is the primary' })
    await onStandby.end()
    pooler?.lead(other.port)
    for (const link of links) {
      link.lead(other.port)
      link.restore()
    }
    // Until then a replica may call itself coherent, as its last news is younger than the bound.
    await sleep(NOTICED_MS)
    return `port ${stage.postgres.port} → ${other.port}, ${isSynchronous ? 'synchronous' : `${LAG_MS} ms behind`}`
  }
  const pooled: Record<string, Fault> = {
    'PgBouncer killed (-9) and started again': async ({ stage }) => {
      const before = await connectionsOf(stage)
      await pooler?.restart()
      await sleep(NOTICED_MS)
      return `with ${before} connections of the service to the server`
    },
  }
  const faults: Record<string, Fault> = {
    ...(isPooled && pooled),
    'the primary killed (-9), its standby promoted': promote,
  }
  return { start, faults, rounds: roundsOf(faults, 1) }
}

/** Reloads. */
async function settings(server: PostgresServer, setting: string): Promise<void> {
  const client = new pg.Client(server.url)
  await client.connect()
  await client.query(`alter system set ${setting}`)
  await client.query('select pg_reload_conf()')
  await client.end()
}

async function receiverOf(standby: pg.Client): Promise<number> {
  const { rows } = await standby.query<{ pid: number }>('select pid from pg_stat_wal_receiver')
  const pid = rows[0]?.pid
  if (pid === undefined) throw new Error('The standby receives nothing')
  return pid
}

async function connectionsOf(stage: Stage): Promise<number> {
  const [row] = await stage.sql<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity where application_name = 'roundhouse'`,
  )
  return row?.count ?? 0
}
