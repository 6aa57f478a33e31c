import { OURS, PEERS } from '../../contenders/names.js'
import type { Benchmark, Settings, Table } from '../../harness/benchmark.js'
import { sibling } from '../../harness/contender-process.js'
import { interleave, withContenders } from '../../harness/rounds.js'
import { fastest, rateRows } from '../../harness/rows.js'
import { startRedis } from '../../../test/helpers/servers/redis.js'

const MODULE = sibling(import.meta.url, '../../contenders/hits')
const KEYS = 20_000
const SMALL_MEMORY_ITEMS = 1_000
const FLOORS = ['ioredis', 'ioredis, auto-pipelined']
/** These have one tier: with a small memory in front they are not what is compared. */
const ONE_TIER = ['async-cache-dedupe', 'cachified']

export const benchmark: Benchmark = {
  title: 'hits in Redis, against GET and JSON.parse on the same client',
  parameters: { keys: KEYS, 'value (bytes)': 1024, 'memory items, too small': SMALL_MEMORY_ITEMS },
  run: async (settings) => {
    const redis = await startRedis()
    try {
      return [
        ...(await tables(settings, {
          url: redis.url,
          memoryItems: 0,
          turns: ['one', '64', '512'],
          peers: PEERS,
          atLeast: 1,
        })),
        ...(await tables(settings, {
          url: redis.url,
          memoryItems: SMALL_MEMORY_ITEMS,
          turns: ['64'],
          peers: PEERS.filter((name) => !ONE_TIER.includes(name)),
          atLeast: 0.95,
        })),
      ]
    } finally {
      await redis.stop()
    }
  },
}

interface Variant {
  readonly url: string
  readonly memoryItems: number
  readonly turns: readonly string[]
  readonly peers: readonly string[]
  readonly atLeast: number
}

async function tables(settings: Settings, variant: Variant): Promise<Table[]> {
  const { url, memoryItems, turns, peers, atLeast } = variant
  const names = [OURS, ...FLOORS, ...(settings.hasPeers ? peers : [])]
  const keys = settings.isSmoke ? 200 : KEYS
  const parameters = { keys, memoryItems, redisUrl: url, seed: settings.seed, isSmoke: settings.isSmoke }
  return withContenders({ module: MODULE, names, parameters }, async (contenders) => {
    const found: Table[] = []
    for (const turn of turns) {
      const samples = await interleave(contenders, { turn, settings })
      const floor = fastest(samples, FLOORS)
      found.push({
        title: `${memoryItems === 0 ? 'memory off' : 'memory too small (look up, read Redis, fill)'}, ${turn} at a time`,
        floor,
        rows: rateRows(samples, { floor, targets: { [OURS]: { of: 'ratio', atLeast } } }),
        whyBehind: 'it believes what Redis holds; ours opens a seal and judges the entry by its snapshot',
        notes: [
          'Ours judges the entry by its snapshot, and does not parse the document. Those of one turn share an MGET.',
        ],
      })
    }
    return found
  })
}
