import { ADMIN_TOKEN } from '../../http/catalogue.js'
import { makeShops, type Shop } from '../../http/big-catalogue.js'
import { Server } from '../../http/server-process.js'
import { runTraffic, type TrafficResult } from '../../http/traffic.js'
import type { Benchmark, Row, Table } from '../../harness/benchmark.js'
import { figure } from '../../harness/print.js'
import { quantile, ratioOf, single } from '../../harness/statistics.js'
import { startPostgres } from '../../../test/helpers/servers/postgres.js'
import { startRedis, type RedisServer } from '../../../test/helpers/servers/redis.js'

const SHOPS = 100
const DESIGNS_EACH = 1_000
const REQUESTS = 60_000
const CONNECTIONS = 32
const MEMORY_ITEMS = 1_000
const EXPONENT = 0.99
const REPLICAS = [1, 2, 4]
const USUAL_WRITES = 0.01
const WRITE_SHARES = [0.001, 0.01, 0.1]
/** Reads of the journal and the probes, which come with time and not with requests. */
const HOUSEKEEPING = /^cache_journal\.|health/

export const benchmark: Benchmark = {
  title: 'replicas as processes on one PostgreSQL and one Redis, under skewed traffic',
  parameters: {
    designs: SHOPS * DESIGNS_EACH,
    requests: REQUESTS,
    exponent: EXPONENT,
    connections: CONNECTIONS,
    'memory items each': MEMORY_ITEMS,
  },
  run: async (settings) => {
    const postgres = await startPostgres()
    const redis = await startRedis()
    const databaseUrl = await postgres.createDatabase()
    const requests = settings.isSmoke ? 300 : REQUESTS
    try {
      await (await startReplica(databaseUrl, redis)).stop()
      const shops = await makeShops(databaseUrl, settings.isSmoke ? 2 : SHOPS, settings.isSmoke ? 50 : DESIGNS_EACH)
      const run = (replicas: number, writeShare: number): Promise<Run> =>
        runOnce({ databaseUrl, redis, shops, replicas, writeShare, requests, seed: settings.seed })
      const byReplicas: Run[] = []
      for (const replicas of settings.isSmoke ? [1] : REPLICAS) byReplicas.push(await run(replicas, USUAL_WRITES))
      const byWrites: Run[] = []
      for (const share of settings.isSmoke ? [USUAL_WRITES] : WRITE_SHARES) byWrites.push(await run(2, share))
      return [
        ...tables(byReplicas, ({ replicas }) => `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`, true),
        ...tables(byWrites, ({ writeShare }) => `2 replicas, ${figure(100 * writeShare)} % writes`, false),
      ]
    } finally {
      await redis.stop()
      await postgres.stop()
    }
  },
}

interface Run extends TrafficResult {
  readonly replicas: number
  readonly writeShare: number
  /** Statements for requests, without what each replica asks by the clock. */
  readonly queries: number
  readonly loads: number
}

interface RunOptions {
  readonly databaseUrl: string
  readonly redis: RedisServer
  readonly shops: readonly Shop[]
  readonly replicas: number
  readonly writeShare: number
  readonly requests: number
  readonly seed: number
}

/** Every run begins with an empty Redis and new replicas. */
async function runOnce(options: RunOptions): Promise<Run> {
  const { databaseUrl, redis, shops, replicas, writeShare, requests, seed } = options
  await redis.restart({ empty: true })
  const servers: Server[] = []
  try {
    for (let n = 0; n < replicas; n++) servers.push(await startReplica(databaseUrl, redis))
    const ports = servers.map(({ port }) => port)
    const result = await runTraffic({
      ports,
      shops,
      requests,
      connections: CONNECTIONS,
      writeShare,
      exponent: EXPONENT,
      seed,
    })
    const stats = await Promise.all(servers.map((server) => server.stats()))
    const queries = stats.flatMap(({ queries }) => Object.entries(queries)).filter(([name]) => !HOUSEKEEPING.test(name))
    return {
      ...result,
      replicas,
      writeShare,
      queries: queries.reduce((sum, [, count]) => sum + count, 0),
      loads: stats.reduce((sum, { cache }) => sum + cache.loads, 0),
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
}

function startReplica(databaseUrl: string, redis: RedisServer): Promise<Server> {
  return Server.start({
    kind: 'service',
    env: {
      ADMIN_TOKENS: ADMIN_TOKEN,
      DATABASE_URL: databaseUrl,
      REDIS_URL: redis.url,
      REDIS_COMMAND_TIMEOUT_MS: '2000',
      CACHE_MAX_MEMORY_ITEMS: String(MEMORY_ITEMS),
    },
  })
}

function tables(runs: readonly Run[], label: (run: Run) => string, isFlat: boolean): Table[] {
  const [first] = runs
  if (first === undefined) return []
  const per = (count: number, { reads, writes }: Run): number => (1_000 * count) / (reads + writes)
  const row = (run: Run): Row => ({
    name: label(run),
    value: single(per(run.loads, run)),
    unit: 'loads for 1,000 requests',
    ratio: isFlat && run !== first ? ratioOf([per(run.loads, run)], [per(first.loads, first)]) : undefined,
    target: isFlat && run !== first ? { of: 'ratio', atMost: 1.1 } : undefined,
    note: noteOf(run),
  })
  return [
    {
      title: isFlat ? 'the same traffic over more replicas' : 'more writes',
      ...(isFlat && { floor: 'one replica' }),
      rows: runs.map(row),
      notes: [
        'Cold at the start. Stale: reads that began after a newer version had been acknowledged; p99 of all reads.',
      ],
    },
    {
      title: isFlat
        ? 'staleness of all reads, p99, over more replicas'
        : 'staleness of all reads, p99, with more writes',
      rows: runs.map((run) => ({
        name: label(run),
        value: single(quantile(run.staleMs, 0.99)),
        unit: 'ms',
        target: { of: 'value', atMost: 1_000 },
        note: `${run.staleMs.filter((ms) => ms > 0).length} of ${figure(run.reads)} reads were behind, the longest by ${figure(Math.max(0, ...run.staleMs.filter((ms) => ms > 0)))} ms`,
      })),
    },
  ]
}

function noteOf(run: Run): string {
  const { reads, writes, memoryHits, redisHits, misses, seconds, queries } = run
  const share = (count: number): string => `${figure((100 * count) / reads)} %`
  return [
    `${figure((reads + writes) / seconds)} requests/s`,
    `${figure(queries / seconds)} statements/s`,
    `memory ${share(memoryHits)}, Redis ${share(redisHits)}, database ${share(misses)}`,
  ].join('; ')
}
