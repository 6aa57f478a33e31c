import { setTimeout as sleep } from 'node:timers/promises'
import { startDurablePostgres } from '../harness/machine.js'
import type { PostgresServer } from '../../test/helpers/servers/postgres.js'
import { startRedis, type RedisServer } from '../../test/helpers/servers/redis.js'
import { makeShops, type Shop } from './big-catalogue.js'
import { ADMIN_TOKEN } from './catalogue.js'
import { getRequest, type LoadRequest } from './load.js'
import { Server, type ServerStats } from './server-process.js'

const REPLICAS = 2
/** After a change of what they do: until the replicas have heard of everything. */
const SETTLE_MS = 1_000

/** Two replicas of the service as it is configured by default, on one PostgreSQL with fsync on and one Redis. */
export interface Replicas {
  readonly servers: readonly Server[]
  readonly postgres: PostgresServer
  readonly redis: RedisServer
  readonly databaseUrl: string
  /** What the replicas were started with. */
  readonly env: Readonly<Record<string, string>>
  readonly shops: readonly Shop[]
  /** What to say beside the figures. */
  readonly note: string
}

export async function withReplicas<T>(
  sizes: { readonly shops: number; readonly designsEach: number },
  work: (replicas: Replicas) => Promise<T>,
): Promise<T> {
  const { postgres, note } = await startDurablePostgres()
  const redis = await startRedis()
  const servers: Server[] = []
  try {
    const databaseUrl = await postgres.createDatabase()
    const env = {
      ADMIN_TOKENS: ADMIN_TOKEN,
      DATABASE_URL: databaseUrl,
      REDIS_URL: redis.url,
      CACHE_MAX_MEMORY_ITEMS: '50000',
    }
    for (let n = 0; n < REPLICAS; n++) servers.push(await Server.start({ kind: 'service', env }))
    const shops = await makeShops(databaseUrl, sizes.shops, sizes.designsEach)
    await sleep(SETTLE_MS)
    return await work({ servers, postgres, redis, databaseUrl, env, shops, note })
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    await redis.stop()
    await postgres.stop()
  }
}

/** A GET for each design of these shops. */
export function readsOf(shops: readonly Shop[]): LoadRequest[] {
  return shops.flatMap(({ token, designIds }) =>
    designIds.map((id) => getRequest(`/api/designs/${id}`, { authorization: `Bearer ${token}` })),
  )
}

/** What the replicas did while `work` ran and until they had heard of it; one figure for each of them. */
export async function during<T>(
  { servers }: Replicas,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly seconds: number; readonly counts: readonly Counts[] }> {
  const before = await Promise.all(servers.map((server) => server.stats()))
  const startedAt = performance.now()
  const result = await work()
  await sleep(SETTLE_MS)
  const after = await Promise.all(servers.map((server) => server.stats()))
  const seconds = (performance.now() - startedAt) / 1_000
  return { result, seconds, counts: after.map((stats, n) => difference(before[n], stats)) }
}

export interface Counts {
  readonly stateChanges: number
  readonly tails: number
  readonly statements: number
  /** Tags that tails brought. */
  readonly heard: number
  readonly hits: number
  readonly misses: number
}

function difference(before: ServerStats | undefined, after: ServerStats): Counts {
  if (before === undefined) throw new Error('Every replica is asked twice')
  const sum = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((total, count) => total + count, 0)
  const hits = ({ cache }: ServerStats): number => cache.memoryHits + cache.redisHits
  const tails = ({ queries }: ServerStats): number => queries['cache_journal.tail'] ?? 0
  return {
    stateChanges: sum(after.stateChanges) - sum(before.stateChanges),
    tails: tails(after) - tails(before),
    statements: sum(after.queries) - sum(before.queries),
    heard: after.cache.invalidations - before.cache.invalidations,
    hits: hits(after) - hits(before),
    misses: after.cache.misses - before.cache.misses,
  }
}

/** Calls `work` evenly, `perSecond` times a second, without waiting for the calls before; waits for all of them in the end. */
export async function evenly(
  { perSecond, until }: { readonly perSecond: number; readonly until: () => boolean },
  work: (n: number) => Promise<unknown>,
): Promise<number> {
  const startedAt = performance.now()
  const running: Promise<unknown>[] = []
  for (let n = 0; !until(); n++) {
    const early = startedAt + (1_000 * n) / perSecond - performance.now()
    if (early > 0) await sleep(early)
    running.push(work(n))
  }
  await Promise.all(running)
  return running.length
}
