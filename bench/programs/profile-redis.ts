import { join } from 'node:path'
import { OURS } from '../contenders/caches.js'
import { timesByOwner } from '../http/self-time.js'
import type { Benchmark, Settings, Table } from '../harness/benchmark.js'
import type { Parameters } from '../harness/contender.js'
import { sibling } from '../harness/contender-process.js'
import { withContenders } from '../harness/rounds.js'
import { single } from '../harness/statistics.js'
import { startRedis } from '../../test/helpers/redis.js'
import { temporaryDirectory } from '../../test/helpers/servers.js'

const TURN_FACTOR = 8
const SHOWN = 16
const FLOOR = 'ioredis'
/** A turn counts after a run-up of a quarter, and all of it is in the profile. */
const COUNTED = 0.75

interface Case {
  readonly title: string
  readonly contenders: 'hits' | 'fills' | 'traffic'
  readonly turn: '64' | 'traffic'
  readonly parameters: Parameters
}

/** As in zipf.ts. */
const TRAFFIC = { keys: 100_000, requests: 200_000, memoryItems: 1_000, exponent: 0.99, loadMs: 2 }
const SMOKE_REQUESTS = 500

const CASES: readonly Case[] = [
  { title: 'a hit in Redis, memory off', contenders: 'hits', turn: '64', parameters: { keys: 20_000, memoryItems: 0 } },
  {
    title: 'a hit in Redis, memory too small',
    contenders: 'hits',
    turn: '64',
    parameters: { keys: 20_000, memoryItems: 1_000 },
  },
  { title: 'a miss and its fill', contenders: 'fills', turn: '64', parameters: { keys: 400_000, memoryItems: 1_000 } },
  { title: 'a request of skewed traffic', contenders: 'traffic', turn: 'traffic', parameters: TRAFFIC },
]

export const benchmark: Benchmark = {
  title: 'where the time of a read below memory goes: processor time by package, itself only',
  parameters: { 'at a time': 64 },
  run: async (settings) => {
    const redis = await startRedis()
    try {
      const tables: Table[] = []
      for (const one of CASES) tables.push(...(await tablesOf(one, redis.url, settings)))
      return tables
    } finally {
      await redis.stop()
    }
  },
}

async function tablesOf(one: Case, redisUrl: string, { roundMs, seed, isSmoke }: Settings): Promise<Table[]> {
  const module = sibling(import.meta.url, `../contenders/${one.contenders}`)
  const requests = isSmoke ? SMOKE_REQUESTS : TRAFFIC.requests
  const parameters = { ...one.parameters, redisUrl, seed, isSmoke, requests }
  return withContenders({ module, names: [FLOOR, OURS], parameters }, async (contenders) => {
    const tables: Table[] = []
    for (const contender of contenders) {
      const file = join(temporaryDirectory(), 'turn.cpuprofile')
      await contender.turn(one.turn, roundMs)
      const sample = await contender.turn(one.turn, roundMs * TURN_FACTOR, file)
      const operations = one.turn === 'traffic' ? requests : (sample['operations'] ?? 0) / COUNTED
      tables.push(tableOf(`${one.title}: ${contender.name}`, file, operations))
    }
    return tables
  })
}

function tableOf(title: string, file: string, operations: number): Table {
  const times = timesByOwner(file)
  const total = times.reduce((sum, [, time]) => sum + time, 0)
  const rows = [['all', total] as const, ...times.slice(0, SHOWN)].map(([name, time]) => ({
    name,
    value: single(time / operations),
    unit: 'µs',
    note: `${((100 * time) / total).toFixed(1)} %`,
  }))
  return { title, rows }
}
