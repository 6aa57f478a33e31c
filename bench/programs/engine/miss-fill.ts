import { OURS, PEERS } from '../../contenders/names.js'
import type { Benchmark } from '../../harness/benchmark.js'
import { sibling } from '../../harness/contender-process.js'
import { interleave, withContenders } from '../../harness/rounds.js'
import { fastest, rateRows } from '../../harness/rows.js'
import { startRedis } from '../../../test/helpers/servers/redis.js'

const MODULE = sibling(import.meta.url, '../../contenders/fills')
const FLOORS = ['ioredis', 'ioredis, auto-pipelined']
/** More than a turn gets through. */
const KEYS = 200_000
const MEMORY_ITEMS = 1_000

export const benchmark: Benchmark = {
  title: 'misses that are loaded and stored, against GET, load and SET on the same client',
  parameters: { keys: KEYS, 'value (bytes)': 1024, 'memory items': MEMORY_ITEMS },
  run: async (settings) => {
    const redis = await startRedis()
    const names = [OURS, ...FLOORS, ...(settings.hasPeers ? PEERS : [])]
    const parameters = { keys: KEYS, memoryItems: MEMORY_ITEMS, redisUrl: redis.url, isSmoke: settings.isSmoke }
    try {
      return await withContenders({ module: MODULE, names, parameters }, async (contenders) => {
        const samples = await interleave(contenders, { turn: '64', settings })
        const floor = fastest(samples, FLOORS)
        return [
          {
            title: 'miss and fill, 64 at a time',
            floor,
            rows: rateRows(samples, { floor, targets: { [OURS]: { of: 'ratio', atLeast: 0.9 } } }),
            whyBehind:
              'each of its replicas loads for itself; ours asks Redis for the right to load, and seals what it stores',
            notes: [
              'Ours takes the right to load (SET NX) between the look and the load, so that replicas share a load; it does not wait for its SET.',
              'async-cache-dedupe and cachified have no memory tier beside Redis.',
            ],
          },
        ]
      })
    } finally {
      await redis.stop()
    }
  },
}
