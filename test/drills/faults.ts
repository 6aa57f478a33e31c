import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { until } from '../helpers/deadline.js'
import type { Link } from './link.js'
import type { ReplicaProcess } from './replica-process.js'
import type { Seeded } from '../helpers/seeded.js'
import type { Stage } from './stage.js'

/** What a fault has at hand; `victim` is the replica that a fault of one replica hits. */
export interface Scene {
  readonly stage: Stage
  readonly random: Seeded
  readonly victim: number
  /** 1 in the long drill; below, everything lasts shorter. */
  readonly scale: number
}

/** Goes over once it resolves, with the proof that it happened; it rejects when it did not. */
export type Fault = (scene: Scene) => Promise<string>

const held = (scene: Scene, lowMs: number, highMs: number): Promise<void> =>
  sleep(scene.random.between(lowMs, highMs) * scene.scale)

const TO_SERVER = 'toServer'
const TO_CLIENT = 'toClient'

/** The connections that listen, and those that read the journal. */
const TERMINATE_FOLLOWERS = `
  select pg_terminate_backend(pid) as ended from pg_stat_activity
  where application_name = 'roundhouse' and (query ilike 'listen %' or query ~ 'pg_notify|cache_[0-9a-f]{8}_tail')
    and pid <> pg_backend_pid()`

/** Whose rows nobody reads. */
const BULK_USER = '01a2069f-0000-7000-8000-0000000000ff'

/** How long a fault waits for its chance: another one may be in its way. */
const CHANCE_MS = 15_000

/** Faults that everybody feels. */
export const serverFaults: Readonly<Record<string, Fault>> = {
  'Redis killed, back empty': async (scene) => {
    const { redis } = scene.stage
    const before = await scene.stage.askRedis((client) => client.dbsize())
    await redis.kill()
    await held(scene, 500, 3_000)
    await redis.restart({ empty: true })
    return `${before} keys gone`
  },

  'Redis killed, back from a stale snapshot': async (scene) => {
    const { redis } = scene.stage
    await scene.stage.askRedis((client) => client.save())
    await held(scene, 2_000, 4_000)
    await redis.kill()
    await held(scene, 100, 1_500)
    await redis.restart()
    const keys = await scene.stage.askRedis((client) => client.dbsize())
    if (keys === 0) throw new Error('The snapshot was empty')
    return `${keys} keys from before`
  },

  'Redis stopped (SIGSTOP)': async (scene) => {
    const { redis } = scene.stage
    redis.pause()
    const proof = await isStopped(redis.pid)
    await held(scene, 3_000, 10_000)
    redis.resume()
    return proof
  },

  'Redis evicting (maxmemory, allkeys-lru)': async ({ stage, random, scale }) =>
    stage.askRedis(async (client) => {
      const figure = async (name: string): Promise<number> =>
        Number(new RegExp(`${name}:(\\d+)`).exec(await client.info())?.[1])
      const before = await figure('evicted_keys')
      const data = (await figure('used_memory_dataset')) / 3
      await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
      await client.config('SET', 'maxmemory', Math.round((await figure('used_memory')) - data))
      await sleep(random.between(3_000, 6_000) * scale)
      const evicted = (await figure('evicted_keys')) - before
      await client.config('SET', 'maxmemory', 0)
      if (evicted === 0) throw new Error('Nothing was evicted')
      return `${evicted} keys evicted`
    }),

  'Postgres restarted': async (scene) => {
    const { postgres } = scene.stage
    const { pid } = postgres
    await postgres.restart()
    if (postgres.pid === pid) throw new Error('The same server')
    return 'orderly, a new postmaster'
  },

  'Postgres killed (-9)': async (scene) => {
    const { postgres } = scene.stage
    await postgres.kill()
    await held(scene, 200, 2_000)
    await postgres.restart()
    return 'recovered from its log'
  },

  'backends that listen and tail terminated': async ({ stage }) => {
    const terminated = async (): Promise<number> => {
      const rows = await stage.sql<{ ended: boolean }>(TERMINATE_FOLLOWERS)
      return rows.filter(({ ended }) => ended).length
    }
    return `${await until(terminated, { describe: 'a replica listens' })} backends`
  },

  'a Postgres backend killed (-9) after rollbacks': async ({ stage }) => {
    for (let n = 0; n < 10; n++) await stage.sql(`begin; update designs set description = 'rolled back'; rollback`)
    const [backend] = await stage.sql<{ pid: number }>(
      `select pid from pg_stat_activity where application_name = 'roundhouse' and state = 'idle' limit 1`,
    )
    if (backend === undefined) throw new Error('No backend to kill')
    await stage.crashRestart(() => process.kill(backend.pid, 'SIGKILL'))
    return 'recovered from its log, the journal empty'
  },

  'a transaction left open, here and in another database': async (scene) => {
    const { postgres, databaseUrl } = scene.stage
    const clients = [new pg.Client(databaseUrl), new pg.Client(postgres.url)]
    const ids: string[] = []
    for (const client of clients) {
      client.on('error', () => {})
      await client.connect()
      await client.query('begin')
      const { rows } = await client.query<{ id: string }>('select pg_current_xact_id()::text as id')
      ids.push(rows[0]?.id ?? '')
    }
    await held(scene, 5_000, 15_000)
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
    return `transactions ${ids.join(' and ')}`
  },

  '50,000 rows in one transaction': async ({ stage }) => {
    await stage.sql(`insert into users (id, email, shop_name) values ('${BULK_USER}', 'bulk@example.com', 'bulk')
      on conflict do nothing`)
    const rows = await stage.sql(`insert into designs (id, user_id, filename, file_path, platform)
      select gen_random_uuid(), '${BULK_USER}', 'bulk', '/b', 'etsy' from generate_series(1, 50000) returning 1`)
    await stage.sql(`delete from designs where user_id = '${BULK_USER}'`)
    return `${rows.length} rows`
  },

  'a column rewritten': async ({ stage }) => {
    await stage.sql(`alter table designs alter column filename type text using filename || ''`)
    return 'another file of the table'
  },

  'triggers switched off and on': async ({ stage }) => {
    const rows = await stage.sql<{ tgname: string }>(
      `select tgname from pg_trigger where tgrelid = 'designs'::regclass and tgname ~ '^cache_'`,
    )
    const on = rows.map(({ tgname }) => `alter table designs enable always trigger ${tgname}`).join('; ')
    await stage.sql(
      `begin; alter table designs disable trigger all; alter table designs enable trigger all; ${on}; commit`,
    )
    return `${rows.length} triggers`
  },

  'the journal truncated': async ({ stage }) => {
    await stage.sql('truncate cache_journal')
    return 'empty'
  },
}

/** Faults of one replica or its links. */
export const replicaFaults: Readonly<Record<string, Fault>> = {
  'replica killed (-9) between commit and announcement': async ({ stage, victim }) => {
    const replica = replicaOf(stage, victim)
    const ended = replica.expectExit()
    if (!replica.order({ kind: 'crash-after-commit' })) throw new Error('No replica to crash')
    const how = await ended
    await sleep(200)
    await replica.start()
    if (how !== 'SIGKILL') throw new Error(`It ended by ${how}`)
    return 'after a commit, before its announcement'
  },

  'replica stopped (SIGSTOP)': async (scene) => {
    const replica = replicaOf(scene.stage, scene.victim)
    replica.stop()
    const proof = await isStopped(replica.pid)
    await held(scene, 3_000, 10_000)
    replica.resume()
    return proof
  },

  'event loop blocked 3 s': async ({ stage, victim }) => {
    const replica = replicaOf(stage, victim)
    replica.blockedMs = 0
    if (!replica.order({ kind: 'block', ms: 3_000 })) throw new Error('No replica to block')
    await until(() => replica.blockedMs >= 3_000, { describe: 'the event loop goes on' })
    return `${Math.round(replica.blockedMs)} ms`
  },

  'link to Redis cut': (scene) => cut(scene, linkOf(scene.stage.redisLinks, scene.victim)),
  'link to Postgres cut': (scene) => cut(scene, linkOf(scene.stage.postgresLinks, scene.victim)),
  'link to Redis black-holed, commands': (scene) => blackHole(scene, [redisLink(scene)], TO_SERVER),
  'link to Redis black-holed, replies': (scene) => blackHole(scene, [redisLink(scene)], TO_CLIENT),
  'link to Postgres black-holed, queries': (scene) => blackHole(scene, [postgresLink(scene)], TO_SERVER),
  'link to Postgres black-holed, replies': (scene) => blackHole(scene, [postgresLink(scene)], TO_CLIENT),
  'both links black-holed, both ways': (scene) =>
    blackHole(scene, [redisLink(scene), postgresLink(scene)], TO_SERVER, TO_CLIENT),
}

export const faults: Readonly<Record<string, Fault>> = { ...serverFaults, ...replicaFaults }

/** A signal takes effect when the process runs next, on a busy machine some time later. `T` as in proc(5). */
async function isStopped(pid: number): Promise<string> {
  const state = (): string | undefined => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]
  await until(() => state()?.startsWith('T'), { timeoutMs: 1_000, describe: 'the process is stopped' })
  return 'process state T'
}

async function cut(scene: Scene, link: Link): Promise<string> {
  const waiting = { timeoutMs: CHANCE_MS, describe: 'there is a connection to cut' }
  const connections = await until(() => link.connections, waiting)
  link.cut()
  await held(scene, 2_000, 5_000)
  link.restore()
  return `${connections} connections cut`
}

async function blackHole(
  scene: Scene,
  links: readonly Link[],
  ...directions: ('toServer' | 'toClient')[]
): Promise<string> {
  const total = (): number => links.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
  const before = total()
  for (const link of links) link.blackHole(...directions)
  await held(scene, 3_000, 7_000)
  const waiting = { timeoutMs: CHANCE_MS, describe: 'something is held up' }
  await until(() => total() > before, waiting).finally(() => links.forEach((link) => link.restore()))
  return `${total() - before} bytes held up`
}

function redisLink({ stage, victim }: Scene): Link {
  return linkOf(stage.redisLinks, victim)
}

function postgresLink({ stage, victim }: Scene): Link {
  return linkOf(stage.postgresLinks, victim)
}

function linkOf(links: readonly Link[], victim: number): Link {
  const link = links[victim]
  if (link === undefined) throw new Error(`There is no link ${victim}`)
  return link
}

function replicaOf({ replicas }: Stage, victim: number): ReplicaProcess {
  const replica = replicas[victim]
  if (replica === undefined) throw new Error(`There is no replica ${victim}`)
  return replica
}
