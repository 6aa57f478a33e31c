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
  readonly contenders: 'hits' | 'fills'
  readonly parameters: Parameters
}

const CASES: readonly Case[] = [
  { title: 'a hit in Redis, memory off', contenders: 'hits', parameters: { keys: 20_000, memoryItems: 0 } },
  { title: 'a hit in Redis, memory too small', contenders: 'hits', parameters: { keys: 20_000, memoryItems: 1_000 } },
  { title: 'a miss and its fill', contenders: 'fills', parameters: { keys: 400_000, memoryItems: 1_000 } },
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
  const parameters = { ...one.parameters, redisUrl, seed, isSmoke }
  return withContenders({ module, names: [FLOOR, OURS], parameters }, async (contenders) => {
    const tables: Table[] = []
    for (const contender of contenders) {
      const file = join(temporaryDirectory(), 'turn.cpuprofile')
      await contender.turn('64', roundMs)
      const sample = await contender.turn('64', roundMs * TURN_FACTOR, file)
      tables.push(tableOf(`${one.title}: ${contender.name}`, file, (sample['operations'] ?? 0) / COUNTED))
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
