import pg from 'pg'
import { makeShops } from '../../http/big-catalogue.js'
import { ADMIN_TOKEN } from '../../http/catalogue.js'
import { Server, type ServerStats } from '../../http/server-process.js'
import { type Acknowledged, runTraffic, type TrafficResult } from '../../http/traffic.js'
import type { Benchmark, Row, Table } from '../../harness/benchmark.js'
import { startDurablePostgres } from '../../harness/machine.js'
import { figure } from '../../harness/print.js'
import { quantile, single } from '../../harness/statistics.js'
import { startRedis } from '../../../test/helpers/servers/redis.js'

/** Shops, designs of each, and requests. */
const USUAL = { shops: 100, designsEach: 100, requests: 200_000 }
const LARGE = { shops: 10_000, designsEach: 100, requests: 10_000_000 }
const SMOKE = { shops: 2, designsEach: 20, requests: 1_000 }
const REPLICAS = 4
const CONNECTIONS = 32
const MEMORY_ITEMS = 50_000
const EXPONENT = 0.99
const WRITES = 0.01
const PARTS = 10
/** The part after which memory is full, and to be compared with. */
const FULL = 4
/** Resident memory of a replica at the end, of what it was when its cache had become full. */
const MOST_GROWTH = 1.1
const MIB = 1024 ** 2

export const benchmark: Benchmark = {
  title: 'millions of requests over four replicas of the service: what grows, and who answers',
  parameters: {
    designs: LARGE.shops * LARGE.designsEach,
    requests: LARGE.requests,
    'without --large': `${USUAL.shops * USUAL.designsEach} and ${USUAL.requests}`,
    replicas: REPLICAS,
    connections: CONNECTIONS,
    exponent: EXPONENT,
    'memory items each': MEMORY_ITEMS,
  },
  run: async ({ seed, isSmoke, isLarge }) => {
    const { shops, designsEach, requests } = isSmoke ? SMOKE : isLarge ? LARGE : USUAL
    const { postgres, note } = await startDurablePostgres({ max_wal_size: '4GB' })
    const redis = await startRedis()
    const servers: Server[] = []
    const databaseUrl = await postgres.createDatabase()
    const database = new pg.Client(databaseUrl)
    try {
      const env = {
        ADMIN_TOKENS: ADMIN_TOKEN,
        DATABASE_URL: databaseUrl,
        REDIS_URL: redis.url,
        CACHE_MAX_MEMORY_ITEMS: String(MEMORY_ITEMS),
      }
      for (let n = 0; n < REPLICAS; n++) servers.push(await Server.start({ kind: 'service', env }))
      await database.connect()
      const made = await makeShops(databaseUrl, shops, designsEach)
      const acknowledged = new Map<string, Acknowledged[]>()
      const parts: Part[] = []
      for (let n = 0; n < PARTS; n++) {
        const before = await statsOf(servers)
        const traffic = await runTraffic({
          ports: servers.map(({ port }) => port),
          shops: made,
          requests: requests / PARTS,
          connections: CONNECTIONS,
          writeShare: WRITES,
          exponent: EXPONENT,
          seed,
          part: n,
          acknowledged,
        })
        const after = await statsOf(servers)
        const part = { traffic, before, after, ...(await sizesOf(database)), redisMib: await mibOf(redis.url) }
        parts.push(part)
        console.error(`${n + 1} of ${PARTS}: ${rowOf(part, n, parts).name}: ${rowOf(part, n, parts).note}`)
      }
      return tables(parts, note)
    } finally {
      await Promise.all(servers.map((server) => server.stop()))
      await database.end()
      await redis.stop()
      await postgres.stop()
    }
  },
}

interface Part {
  readonly traffic: TrafficResult
  readonly before: readonly ServerStats[]
  readonly after: readonly ServerStats[]
  readonly journalRows: number
  readonly journalMib: number
  readonly redisMib: number
}

function statsOf(servers: readonly Server[]): Promise<ServerStats[]> {
  return Promise.all(servers.map((server) => server.stats()))
}

async function sizesOf(database: pg.Client): Promise<Pick<Part, 'journalRows' | 'journalMib'>> {
  const { rows } = await database.query<{ rows: number; bytes: string }>(
    `select count(*)::int as rows, pg_total_relation_size('cache_journal') as bytes from cache_journal`,
  )
  return { journalRows: rows[0]?.rows ?? 0, journalMib: Number(rows[0]?.bytes) / MIB }
}

async function mibOf(url: string): Promise<number> {
  const { Redis } = await import('ioredis')
  const client = new Redis(url)
  try {
    return Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]) / MIB
  } finally {
    client.disconnect()
  }
}

/** The largest of the replicas. */
function residentMib({ after }: Part): number {
  return Math.max(...after.map(({ rss }) => rss)) / MIB
}

function rowOf(part: Part, n: number, parts: readonly Part[]): Row {
  const { reads, writes, memoryHits, redisHits, misses, seconds } = part.traffic
  const share = (count: number): string => `${figure((100 * count) / reads)} %`
  const full = parts[FULL - 1]
  const isLast = n === PARTS - 1 && full !== undefined
  const growth = isLast ? residentMib(part) / residentMib(full) : undefined
  return {
    name: `after ${figure(100 * ((n + 1) / PARTS))} %`,
    value: single(residentMib(part)),
    unit: 'MiB',
    ...(growth !== undefined && { ratio: single(growth), target: { of: 'ratio', atMost: MOST_GROWTH } as const }),
    note: [
      `${figure((reads + writes) / seconds)} requests/s`,
      `memory ${share(memoryHits)}, Redis ${share(redisHits)}, database ${share(misses)}`,
      `journal ${part.journalRows.toLocaleString('en-US')} rows, ${figure(part.journalMib)} MiB`,
      `Redis ${figure(part.redisMib)} MiB`,
    ].join('; '),
  }
}

function tables(parts: readonly Part[], note: string): Table[] {
  const staleMs = parts.flatMap(({ traffic }) => traffic.staleMs.filter((ms) => ms > 0))
  const sum = (of: (traffic: TrafficResult) => number): number =>
    parts.reduce((total, { traffic }) => total + of(traffic), 0)
  const [reads, writes, seconds] = [
    sum(({ reads }) => reads),
    sum(({ writes }) => writes),
    sum(({ seconds }) => seconds),
  ]
  const p99 = Math.max(...parts.map(({ traffic }) => quantile(traffic.staleMs, 0.99)))
  return [
    {
      title: 'resident memory of a replica, the largest of four',
      floor: `after ${figure((100 * FULL) / PARTS)} %`,
      rows: parts.map((part, n) => rowOf(part, n, parts)),
      notes: [note],
    },
    {
      title: 'staleness of all reads',
      rows: [
        {
          name: 'p99 of the worst part',
          value: single(p99),
          unit: 'ms',
          note: `${staleMs.length.toLocaleString('en-US')} of ${reads.toLocaleString('en-US')} reads were behind one of ${writes.toLocaleString('en-US')} writes`,
        },
        {
          name: 'the longest',
          value: single(Math.max(0, ...staleMs)),
          unit: 'ms',
          target: { of: 'value', atMost: 1_000 },
        },
      ],
    },
    { title: 'statements', rows: statementRows(parts, reads + writes, seconds) },
  ]
}

/** All replicas together. */
function statementRows(parts: readonly Part[], requests: number, seconds: number): Row[] {
  const counts = new Map<string, number>()
  const add = (stats: readonly ServerStats[], sign: 1 | -1): void => {
    for (const { queries } of stats) {
      for (const [name, count] of Object.entries(queries)) counts.set(name, (counts.get(name) ?? 0) + sign * count)
    }
  }
  add(parts.at(-1)?.after ?? [], 1)
  add(parts[0]?.before ?? [], -1)
  return [...counts]
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => ({
      name,
      value: single((1_000 * count) / requests),
      unit: 'for 1,000 requests',
      note: `${figure(count / seconds)} a second of all ${REPLICAS} replicas`,
    }))
}
