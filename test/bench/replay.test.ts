import { fileURLToPath } from 'node:url'
import pg from 'pg'
import t from 'tap'
import { checksOf } from '../../bench/replay/checks.js'
import { boundsOf } from '../../bench/replay/report.js'
import type { Result } from '../../bench/replay/result.js'
import { runReplays } from '../../bench/replay/run.js'
import { MEMORY_ITEMS } from '../../bench/replay/settings.js'
import { sieveMisses, readTrace } from '../../bench/replay/trace.js'
import { sharedPostgres, sharedRedis } from '../helpers/servers/shared-servers.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'

const TRACE = fileURLToPath(new URL('../../bench/traces/web07.trace.gz', import.meta.url))
/** Enough that memory evicts; `npm run test:long` takes more. */
const REQUESTS = process.env['LONG_TESTS'] === undefined ? 1_800 : 10_000

/** The token and the profile of the user who asks are in memory too, and used by each request. */
const ITEMS_FOR_DESIGNS = MEMORY_ITEMS - 2

const trace = readTrace(TRACE, REQUESTS)
t.ok(trace.pages > 1.1 * MEMORY_ITEMS, `${trace.pages} pages`)
const [postgres, redis] = await Promise.all([sharedPostgres(t), sharedRedis(t)])
const databaseUrl = await postgres.serviceDatabase()
const servers = { databaseUrl, dataDir: temporaryDirectory(), redisUrl: redis.url }

t.test('one request at a time, memory misses what a simulated memory misses, and Redis has the rest', async (t) => {
  const results = await runReplays({ trace, servers, concurrency: 1, settings: ['memory', 'memory and Redis'] })
  const misses = sieveMisses(trace, ITEMS_FOR_DESIGNS)
  const inMemory = REQUESTS - misses
  t.match(results[0], {
    designQueries: misses,
    counts: { memory: inMemory, redis: 0, database: misses, joined: 0, failure: 0 },
  })
  t.match(results[1], {
    designQueries: trace.pages,
    counts: { memory: inMemory, redis: misses - trace.pages, database: trace.pages, joined: 0, failure: 0 },
  })
})

t.test(
  'many at a time: without a cache each request costs a load, with one each page, and those of one turn share a query',
  async (t) => {
    const short = readTrace(TRACE, 500)
    const settings = ['no cache', 'memory and Redis'] as const
    const [without, cached] = await runReplays({ trace: short, servers, concurrency: 32, settings })
    t.match(without, { counts: { database: 500, failure: 0 } })
    t.match(cached, { counts: { database: short.pages, failure: 0 } })
    t.ok(without!.designQueries < 500 && cached!.designQueries < short.pages)
  },
)

t.test('the user and the rows of a replay are gone afterwards', async (t) => {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  t.teardown(() => client.end())
  for (const table of ['users', 'tokens', 'designs']) {
    t.strictSame((await client.query(`select 1 from ${table}`)).rows, [], table)
  }
})

t.test('a missed target is named as missed', async (t) => {
  const percentiles = (p50: number): { p50: number; p99: number } => ({ p50, p99: 2 * p50 })
  const result = (more: Partial<Result>): Result => ({
    setting: 'no cache',
    requests: 76_118,
    counts: { memory: 0, redis: 0, database: 0, joined: 0, failure: 0 },
    designQueries: 76_118,
    allQueries: 76_118,
    reduction: 0,
    all: percentiles(1),
    cached: undefined,
    uncached: percentiles(1),
    seconds: 1,
    redisErrors: 0,
    serviceCpuSeconds: 1,
    ...more,
  })
  const loads = (database: number): Result['counts'] => ({ memory: 0, redis: 0, database, joined: 0, failure: 0 })
  const good = [
    result({}),
    result({ setting: 'memory', reduction: 52.5 }),
    result({ setting: 'memory and Redis', counts: loads(20_484), cached: percentiles(0.2) }),
  ]
  const bad = [
    result({ counts: { memory: 0, redis: 0, database: 0, joined: 0, failure: 1 } }),
    result({ setting: 'memory', reduction: 52.2 }),
    result({ setting: 'memory and Redis', counts: loads(20_485), cached: percentiles(0.21) }),
  ]
  const bounds = boundsOf(readTrace(TRACE))
  const met = (results: readonly Result[], isPostgres: boolean): boolean[] =>
    checksOf(results, bounds, isPostgres).map(({ isMet }) => isMet)
  t.strictSame(met(good, true), [true, true, true, true])
  t.strictSame(met(bad, true), [false, false, false, false])
  t.equal(met(bad, false).length, 3, 'latency is a target on PostgreSQL only')
})
