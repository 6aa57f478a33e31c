import { setTimeout as sleep } from 'node:timers/promises'
import { OURS, PEERS } from '../../contenders/names.js'
import type { Benchmark, Row, Settings } from '../../harness/benchmark.js'
import { sibling } from '../../harness/contender-process.js'
import { withContenders } from '../../harness/rounds.js'
import { spreadOf } from '../../harness/statistics.js'
import { startRedis, type RedisServer } from '../../../test/helpers/servers/redis.js'

const MODULE = sibling(import.meta.url, '../../contenders/hanging')
const LIMIT_MS = 250
const MOST_ROUNDS = 3
/** Reads in between, so that what counts failures has counted enough of them. */
const FAILING_READS = 8

export const benchmark: Benchmark = {
  title: 'a key nobody holds while Redis is frozen (SIGSTOP): time to the answer',
  parameters: { 'given up after (ms)': 10_000 },
  run: async (settings) => {
    const redis = await startRedis()
    const peers = settings.hasPeers ? PEERS : []
    try {
      const defaults: Row[] = []
      const limited: Row[] = []
      for (const name of [OURS, ...peers]) defaults.push(...(await rowsOf(name, redis, settings)))
      for (const name of peers) limited.push(...(await rowsOf(name, redis, settings, LIMIT_MS)))
      return [
        { title: 'as configured by default', rows: defaults },
        ...(limited.length === 0
          ? []
          : [{ title: `with a time limit of ${LIMIT_MS} ms in their client`, rows: limited }]),
      ]
    } finally {
      await redis.stop()
    }
  },
}

async function rowsOf(name: string, redis: RedisServer, settings: Settings, commandTimeoutMs?: number): Promise<Row[]> {
  const rounds = name === OURS ? Math.min(settings.rounds, MOST_ROUNDS) : 1
  const first: number[] = []
  const later: number[] = []
  for (let round = 0; round < rounds; round++) {
    const parameters = { redisUrl: redis.url, ...(commandTimeoutMs !== undefined && { commandTimeoutMs }) }
    await withContenders({ module: MODULE, names: [name], parameters }, async ([contender]) => {
      if (contender === undefined) return
      await contender.turn('working', 0)
      redis.pause()
      try {
        first.push((await contender.turn('hanging', 0))['ms'] ?? Number.NaN)
        if (name !== OURS) return
        for (let n = 0; n < FAILING_READS; n++) {
          await contender.turn('hanging', 0)
          await sleep(100)
        }
        later.push((await contender.turn('hanging', 0))['ms'] ?? Number.NaN)
      } finally {
        redis.resume()
      }
    })
  }
  if (name !== OURS) return [{ name, value: spreadOf(first), unit: 'ms' }]
  return [
    { name: `${name}, the first read`, value: spreadOf(first), unit: 'ms', target: { of: 'value', atMost: 110 } },
    {
      name: `${name}, once the breaker is open`,
      value: spreadOf(later),
      unit: 'ms',
      target: { of: 'value', atMost: 10 },
    },
  ]
}
