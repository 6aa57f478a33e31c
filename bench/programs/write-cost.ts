import type { Benchmark, Settings, Table } from '../harness/benchmark.js'
import { sibling } from '../harness/contender-process.js'
import { interleave, withContenders } from '../harness/rounds.js'
import { rateRows } from '../harness/rows.js'
import { startPostgres } from '../../test/helpers/postgres.js'
import { startRedis } from '../../test/helpers/redis.js'

const MODULE = sibling(import.meta.url, '../contenders/writes')
const FLOOR = 'rows alone'
/** A commit to disk takes its time. */
const TURN_FACTOR = 3

export const benchmark: Benchmark = {
  title: 'what coherence costs a write, against the same rows without it',
  parameters: { database: 'PostgreSQL, fsync on' },
  run: async (settings) => {
    const postgres = await startPostgres({ fsync: 'on', full_page_writes: 'on' })
    const redis = await startRedis()
    const open = async (isOneUser: boolean, clients: readonly string[]): Promise<Table[]> =>
      tables(settings, { databaseUrl: await postgres.createDatabase(), redisUrl: redis.url, isOneUser }, clients)
    try {
      return [...(await open(false, ['1', '8', '32'])), ...(await open(true, ['8', '32']))]
    } finally {
      await redis.stop()
      await postgres.stop()
    }
  },
}

function tables(
  settings: Settings,
  parameters: { databaseUrl: string; redisUrl: string; isOneUser: boolean },
  clients: readonly string[],
): Promise<Table[]> {
  return withContenders({ module: MODULE, names: [FLOOR, 'coherent write'], parameters }, async (contenders) => {
    const found: Table[] = []
    for (const turn of clients) {
      const longer = { ...settings, roundMs: settings.roundMs * TURN_FACTOR }
      const samples = await interleave(contenders, { turn, settings: longer })
      const whose = parameters.isOneUser ? 'all for one user' : 'each for a user of its own'
      found.push({
        title: `${turn} ${turn === '1' ? 'client' : 'clients'}, ${whose}`,
        floor: FLOOR,
        rows: rateRows(samples, { floor: FLOOR }),
        notes: parameters.isOneUser
          ? ['All of them raise the tag of that user’s lists: they queue for its row from the raise to the commit.']
          : ['Coherent: dependents looked up, tags raised and announced in the transaction, then memory, then Redis.'],
      })
    }
    return found
  })
}
