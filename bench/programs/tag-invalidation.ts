import { OURS } from '../contenders/caches.js'
import type { Benchmark, Row, Settings, Table } from '../harness/benchmark.js'
import { sibling } from '../harness/contender-process.js'
import { figure } from '../harness/print.js'
import { interleave, withContenders } from '../harness/rounds.js'
import { series } from '../harness/rows.js'
import { spreadOf } from '../harness/statistics.js'
import { startPostgres } from '../../test/helpers/postgres.js'
import { startRedis } from '../../test/helpers/redis.js'

const MODULE = sibling(import.meta.url, '../contenders/tagged')
/** The others know no tags. */
const TAGGING = ['layered-loader', 'async-cache-dedupe', 'bentocache', 'cacheable']
const KEYS = 10_000
const MANY_KEYS = 100_000
/** Each turn fills everything anew. */
const MOST_ROUNDS = 3

export const benchmark: Benchmark = {
  title: 'one tag on everything in memory and Redis, invalidated',
  parameters: { keys: `${KEYS} and ${MANY_KEYS}`, 'value (bytes)': 1024 },
  run: async (settings) => {
    // Commits as in production: fsync is what a commit costs.
    const postgres = await startPostgres({ fsync: 'on', full_page_writes: 'on' })
    const redis = await startRedis()
    const size = (keys: number): number => (settings.isSmoke ? keys / 100 : keys)
    const open = async (keys: number, names: readonly string[]): Promise<Table> =>
      table(settings, { keys: size(keys), redisUrl: redis.url, databaseUrl: await postgres.createDatabase() }, names)
    try {
      return [await open(KEYS, [OURS, ...(settings.hasPeers ? TAGGING : [])]), await open(MANY_KEYS, [OURS])]
    } finally {
      await redis.stop()
      await postgres.stop()
    }
  },
}

async function table(
  settings: Settings,
  parameters: { keys: number; redisUrl: string; databaseUrl: string },
  names: readonly string[],
): Promise<Table> {
  return withContenders({ module: MODULE, names, parameters }, async (contenders) => {
    const few = { ...settings, rounds: Math.min(settings.rounds, MOST_ROUNDS) }
    const samples = await interleave(contenders, { turn: 'invalidate', settings: few })
    const row = (name: string, label: string, of: string, target?: Row['target']): Row => ({
      name: label,
      value: spreadOf(series(samples, name, of)),
      unit: 'ms',
      target,
      note: `event loop p99 ${figure(spreadOf(series(samples, name, 'p99')).median)} ms, longest ${figure(spreadOf(series(samples, name, 'longest')).max)} ms`,
    })
    return {
      title: `${parameters.keys.toLocaleString('en-US')} keys`,
      rows: [
        row(OURS, `${OURS}, without the commit`, 'own', { of: 'value', atMost: 1 }),
        row(OURS, `${OURS}, commit of the journal (PostgreSQL, fsync on)`, 'commit'),
        ...names.filter((name) => name !== OURS).map((name) => row(name, name, 'ms')),
      ],
      notes: ['Ours includes the raise in Redis. layered-loader: its groups. The peers have no journal.'],
    }
  })
}
