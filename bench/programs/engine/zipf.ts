import { OURS, PEERS } from '../../contenders/names.js'
import { distinct, zipfOrder } from '../../contenders/items.js'
import type { Benchmark, Settings } from '../../harness/benchmark.js'
import { sibling } from '../../harness/contender-process.js'
import { figure } from '../../harness/print.js'
import { interleave, withContenders } from '../../harness/rounds.js'
import { fastest, rateRows, series } from '../../harness/rows.js'
import { ratioOf, single, spreadOf } from '../../harness/statistics.js'
import { startRedis } from '../../../test/helpers/servers/redis.js'

const MODULE = sibling(import.meta.url, '../../contenders/traffic')
const FLOORS = ['ioredis', 'ioredis, auto-pipelined']
const KEYS = 100_000
/** With this exponent 80.4 % of them ask for a key that was asked for before. */
const REQUESTS = 200_000
const MEMORY_ITEMS = 1_000
const EXPONENT = 0.99
const LOAD_MS = 2
/** A turn is the whole stretch, so there are fewer rounds. */
const MOST_ROUNDS = 3

export const benchmark: Benchmark = {
  title: 'a stretch of skewed traffic through cold tiers',
  parameters: {
    keys: KEYS,
    requests: REQUESTS,
    exponent: EXPONENT,
    'load (ms)': LOAD_MS,
    'memory items': MEMORY_ITEMS,
  },
  run: async (settings) => {
    const redis = await startRedis()
    const requests = settings.isSmoke ? 500 : REQUESTS
    const parameters = {
      keys: KEYS,
      requests,
      memoryItems: MEMORY_ITEMS,
      redisUrl: redis.url,
      exponent: EXPONENT,
      loadMs: LOAD_MS,
      seed: settings.seed,
    }
    const bound = distinct(zipfOrder(settings.seed, KEYS, requests, EXPONENT))
    const names = [OURS, ...FLOORS, ...(settings.hasPeers ? PEERS : [])]
    const few: Settings = { ...settings, rounds: Math.min(settings.rounds, MOST_ROUNDS) }
    try {
      return await withContenders({ module: MODULE, names, parameters }, async (contenders) => {
        const samples = await interleave(contenders, { turn: 'traffic', settings: few })
        const floor = fastest(samples, FLOORS)
        const loadsOf = (name: string): number[] => series(samples, name, 'loads')
        const avoided = (loads: number): string => `${figure(100 * (1 - loads / requests))} % avoided`
        return [
          {
            title: 'requests per second, 64 at a time',
            floor,
            rows: rateRows(samples, { floor, targets: { [OURS]: { of: 'ratio', atLeast: 1.25 } } }),
            whyBehind: 'every fourth read here is a miss or a hit in Redis: see those lines',
          },
          {
            title: 'loads',
            floor: `${bound.toLocaleString('en-US')}, one for each key asked for: a cache that never forgets`,
            rows: names.map((name) => ({
              name,
              value: spreadOf(loadsOf(name)),
              unit: 'loads',
              ratio: ratioOf(
                loadsOf(name),
                loadsOf(name).map(() => bound),
              ),
              target: name === OURS ? { of: 'ratio' as const, atMost: 1.001 } : undefined,
              note: avoided(spreadOf(loadsOf(name)).median),
            })),
            notes: [`The bound itself: ${avoided(single(bound).median)}.`],
          },
        ]
      })
    } finally {
      await redis.stop()
    }
  },
}
