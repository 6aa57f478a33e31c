import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'
import { v7 as newId } from 'uuid'
import { cachedTables } from '../../../services/cache-map.js'
import { openCache, type TieredCache } from '../../../services/cache/index.js'
import { type Database, migrate, openDatabase, openJournal } from '../../../services/database/index.js'
import { startRedis } from '../../../test/helpers/servers/redis.js'
import { Seeded } from '../../../test/helpers/seeded.js'
import type { Benchmark, Row } from '../../harness/benchmark.js'
import { startDurablePostgres } from '../../harness/machine.js'
import { figure } from '../../harness/print.js'
import { single } from '../../harness/statistics.js'
import { evenly } from '../../http/replicas.js'
import { fillHistory } from '../../journal/history.js'
import { functionRows, sizesOf, vacuumed } from '../../journal/measures.js'

const WRITES_PER_SECOND = 1_000
const WRITERS = 16
const REPLICAS = 3
/** Of one replica, a second. */
const READS = 100
const AT_ONCE = 100
/** What is written, and what is not. */
const [HOT, COLD] = [2_000, 10_000]
/** How long a journal row is kept, in minutes: with --large the hour that is the engine's default. */
const [KEPT, KEPT_LARGE] = [8, 60]
/** A prune comes every eighth of it, or once a minute: two of them, and some more. */
const PRUNES = 2.2
/** Deleted rows wait for a vacuum, so the files are longer than what is in them. */
const MOST_GROWTH = 1.25
const MINUTE_MS = 60_000

export const benchmark: Benchmark = {
  title: 'a journal that is full, while it is written, read, pruned and vacuumed',
  parameters: {
    'writes a second': WRITES_PER_SECOND,
    replicas: REPLICAS,
    'minutes kept': `${KEPT}, with --large ${KEPT_LARGE}`,
    'rows written': HOT,
    'rows that are not': COLD,
  },
  run: async ({ seed, isSmoke, isLarge }) => {
    const keptMs = (isLarge ? KEPT_LARGE : KEPT) * MINUTE_MS
    const ms = isSmoke ? 2_000 : PRUNES * Math.max(keptMs / 8, MINUTE_MS)
    const { postgres, note } = await startDurablePostgres({
      shared_preload_libraries: 'pg_stat_statements',
      max_wal_size: '4GB',
    })
    const redis = await startRedis()
    const url = await postgres.createDatabase()
    const client = new pg.Client(url)
    const opened: Opened[] = []
    try {
      await client.connect()
      await client.query('create extension pg_stat_statements')
      opened.push(await open(url, redis.url, keptMs, true))
      const ids = await makeRows(client)
      const rows = isSmoke ? 5_000 : (keptMs / 1_000) * WRITES_PER_SECOND
      const began = performance.now()
      await fillHistory(client, { rows, hot: ids.slice(0, HOT), keptMs })
      const fillSeconds = (performance.now() - began) / 1_000
      await Promise.all(opened.splice(0).map((one) => one.close()))
      while (opened.length < REPLICAS) opened.push(await open(url, redis.url, keptMs))
      // What is not written lies in Redis from here on.
      await reads(opened[0]!, ids.slice(HOT))
      await client.query('select pg_stat_statements_reset()')
      const before = await sizesOf(client)
      const written = await traffic({ url, opened, ids, ms, seed })
      const after = await sizesOf(client)
      const functions = await functionRows(client)
      const fresh = await started(url, redis.url, keptMs, ids.slice(HOT))
      const size = (name: string, of: 'tableMib' | 'indexMib'): Row => ({
        name,
        value: single(after[of]),
        unit: 'MiB',
        ratio: single(after[of] / before[of]),
        target: { of: 'ratio', atMost: MOST_GROWTH },
        note: `${figure(before[of])} MiB before`,
      })
      return [
        {
          title: `the journal after ${figure(ms / MINUTE_MS)} minutes more`,
          floor: 'as it was, full',
          rows: [
            {
              name: 'rows',
              value: single(after.rows),
              unit: 'rows',
              ratio: single(after.rows / before.rows),
              note: `${before.rows.toLocaleString('en-US')} before, ${written.toLocaleString('en-US')} written meanwhile, ${after.vacuums - before.vacuums} vacuums by the server itself`,
            },
            size('table', 'tableMib'),
            size('index', 'indexMib'),
          ],
          notes: [`Filled in ${figure(fillSeconds)} s, as if over the time that it is kept.`, note],
        },
        { title: 'its statements meanwhile, of all replicas', rows: functions },
        { title: 'a replica that starts', rows: fresh },
        { title: 'a vacuum, asked for', rows: [await vacuumed(client)] },
      ]
    } finally {
      await Promise.all(opened.map((one) => one.close()))
      await client.end()
      await redis.stop()
      await postgres.stop()
    }
  },
}

interface Opened {
  readonly cache: TieredCache
  readonly database: Database
  close(): Promise<void>
}

async function open(url: string, redisUrl: string, longestLifetimeMs: number, isFirst = false): Promise<Opened> {
  const database = await openDatabase({ url, dataDir: '', poolSize: 2 })
  if (isFirst) await migrate(database, cachedTables)
  const journal = openJournal(database, { tables: cachedTables, tailTimeoutMs: 1_000 })
  const client = new Redis(redisUrl)
  const defaults = { ttl: longestLifetimeMs, grace: 0, negativeTtl: 30_000 }
  const cache = await openCache({ journal, redis: { client }, longestLifetimeMs, defaults })
  return {
    cache,
    database,
    close: async () => {
      await cache.close()
      client.disconnect()
      await database.close()
    },
  }
}

/** The tags of the rows: those that are written, and behind them those that are not. */
async function makeRows(client: pg.Client): Promise<string[]> {
  const userId = newId()
  await client.query('insert into users (id, email, shop_name) values ($1, $2, $3)', [
    userId,
    'a@example.com',
    'A shop',
  ])
  const ids = Array.from({ length: HOT + COLD }, () => newId())
  await client.query(
    `insert into designs (id, user_id, filename, file_path, platform, description)
      select id, $2::uuid, id || '.png', 'x', 'etsy', '0' from unnest($1::uuid[]) id`,
    [ids, userId],
  )
  return ids.map((id) => `${userId}/designs/${id}`)
}

/** How many of them Redis answered. */
async function reads({ cache, database }: Opened, tags: readonly string[]): Promise<number> {
  let found = 0
  for (let at = 0; at < tags.length; at += AT_ONCE) {
    const read = tags.slice(at, at + AT_ONCE).map(async (tag) => {
      const { tier } = await cache.getOrLoad(tag, { tags: [tag] }, async () => {
        const text = 'select description from designs where id = $1::uuid'
        const values = [tag.slice(-36)]
        const statement = { name: 'journal.load', text, values, isPrepared: true } as const
        const [row] = await database.query<{ description: string }>(statement)
        return row?.description
      })
      return tier
    })
    found += (await Promise.all(read)).filter((tier) => tier === 'redis').length
  }
  return found
}

/** @returns how many writes were done */
async function traffic(options: {
  readonly url: string
  readonly opened: readonly Opened[]
  readonly ids: readonly string[]
  readonly ms: number
  readonly seed: number
}): Promise<number> {
  const { url, opened, ids, ms, seed } = options
  const pool = new pg.Pool({ connectionString: url, max: WRITERS })
  const endsAt = performance.now() + ms
  const isOver = (): boolean => performance.now() >= endsAt
  const seeded = new Seeded(seed)
  const write = async (n: number): Promise<void> => {
    const id = seeded.pick(ids.slice(0, HOT)).slice(-36)
    await pool.query({ name: 'write', text: 'update designs set description = $2 where id = $1', values: [id, `${n}`] })
  }
  try {
    const [written] = await Promise.all([
      evenly({ perSecond: WRITES_PER_SECOND, until: isOver }, write),
      ...opened.map((one) => evenly({ perSecond: READS, until: isOver }, () => reads(one, [seeded.pick(ids)]))),
    ])
    return written
  } finally {
    await pool.end()
  }
}

/** What another replica finds in Redis of what has not been written since it was stored there. */
async function started(url: string, redisUrl: string, keptMs: number, cold: readonly string[]): Promise<Row[]> {
  const beganAt = performance.now()
  const one = await open(url, redisUrl, keptMs)
  try {
    const startMs = performance.now() - beganAt
    await sleep(100)
    const found = await reads(one, cold)
    return [
      { name: 'from its first connection to the first answer it may give', value: single(startMs), unit: 'ms' },
      {
        name: 'of what Redis has, and is as it is in the database',
        value: single((100 * found) / cold.length),
        unit: '% it may use',
        target: { of: 'value', atLeast: 90 },
      },
    ]
  } finally {
    await one.close()
  }
}
