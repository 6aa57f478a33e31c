import pg from 'pg'
import { Load } from '../../http/load.js'
import { type Counts, during, evenly, readsOf, type Replicas, withReplicas } from '../../http/replicas.js'
import type { Benchmark, Row, Settings } from '../../harness/benchmark.js'
import { figure } from '../../harness/print.js'
import { ratioOf, single } from '../../harness/statistics.js'
import { Seeded } from '../../../test/helpers/seeded.js'

const WRITES_PER_SECOND = 500
const READS_PER_SECOND = 400
const CONNECTIONS = 16
/** Of the default length of a turn, so many are two minutes. */
const TURNS = 300
const SHOPS = 20
const DESIGNS_EACH = 50
/** Only the first designs of all are written, so that most reads are hits. */
const WRITTEN = 100

export const benchmark: Benchmark = {
  title: 'a transaction that stays open in another database of the server while much is written',
  parameters: { 'writes a second': WRITES_PER_SECOND, 'reads a second and replica': READS_PER_SECOND, replicas: 2 },
  run: (settings) =>
    withReplicas({ shops: SHOPS, designsEach: DESIGNS_EACH }, async (replicas) => {
      const loads = replicas.servers.map(() => new Load())
      const other = new pg.Client(await replicas.postgres.createDatabase())
      await other.connect()
      try {
        const ms = settings.roundMs * TURNS
        await phase(replicas, loads, settings, Math.min(ms, 5_000))
        const before = await phase(replicas, loads, settings, ms)
        await other.query('begin; select pg_current_xact_id()')
        const open = await phase(replicas, loads, settings, ms)
        await other.query('commit')
        return [
          {
            title: `a transaction open for ${figure(ms / 1_000)} s`,
            rows: [
              row('read more than once', open, (counts) => counts.heard - open.written, 'tags'),
              row('changes of state', open, ({ stateChanges }) => stateChanges, 'changes'),
              {
                name: 'hit rate',
                value: single(100 * hitRate(open)),
                unit: '%',
                ratio: ratioOf([hitRate(open)], [hitRate(before)]),
                target: { of: 'ratio', atLeast: 0.98 },
                note: `${figure(100 * hitRate(before))} % before`,
              },
            ],
            floor: 'the same before it',
            notes: [
              `${figure(open.writes / open.seconds)} writes/s; ${open.counts.map(({ tails, heard }) => `${figure(tails / open.seconds)} tails/s that brought ${figure(heard / tails)} tags each`).join(', ')}.`,
              'Read more than once: tags that the tails of a replica brought, less the tags that were written.',
              replicas.note,
            ],
          },
        ]
      } finally {
        await other.end()
        await Promise.all(loads.map((load) => load.stop()))
      }
    }),
}

interface Phase {
  readonly seconds: number
  readonly writes: number
  /** Tags in the journal's new rows. */
  readonly written: number
  readonly counts: readonly Counts[]
}

function row(name: string, { counts }: Phase, of: (counts: Counts) => number, unit: string): Row {
  const values = counts.map(of)
  const value = { median: Math.max(...values.map(Math.abs)), min: Math.min(...values), max: Math.max(...values) }
  return { name, value, unit, target: { of: 'value', atMost: 0 } }
}

function hitRate({ counts }: Phase): number {
  const sum = (of: (counts: Counts) => number): number => counts.reduce((total, one) => total + of(one), 0)
  return sum(({ hits }) => hits) / sum(({ hits, misses }) => hits + misses)
}

/** Both replicas are read, and rows are written by plain SQL, as another program would. */
async function phase(replicas: Replicas, loads: readonly Load[], { seed }: Settings, ms: number): Promise<Phase> {
  const { servers, shops, databaseUrl } = replicas
  const pool = new pg.Pool({ connectionString: databaseUrl, max: CONNECTIONS })
  const ids = shops.flatMap(({ designIds }) => designIds).slice(0, WRITTEN)
  const requests = new Seeded(seed).shuffled(readsOf(shops))
  const tagsThere = async (): Promise<number> => {
    const { rows } = await pool.query('select sum(cardinality(tags))::int as tags from cache_journal')
    return Number(rows[0]?.tags)
  }
  try {
    const before = await tagsThere()
    const { result: writes, ...rest } = await during(replicas, async () => {
      const endsAt = performance.now() + ms
      const order = { requests, connections: CONNECTIONS, ms, ratePerSecond: READS_PER_SECOND, expected: 200 }
      const [count, ...results] = await Promise.all([
        evenly({ perSecond: WRITES_PER_SECOND, until: () => performance.now() >= endsAt }, (n) =>
          pool.query('update designs set description = $2 where id = $1', [ids[n % ids.length], `text ${n} ${endsAt}`]),
        ),
        ...servers.map(({ port }, n) => loads[n]?.run({ ...order, port })),
      ])
      const unexpected = results.reduce((sum, result) => sum + (result?.unexpected ?? 0), 0)
      if (unexpected > 0) throw new Error(`${unexpected} reads were not answered with 200`)
      return count
    })
    return { ...rest, writes, written: (await tagsThere()) - before }
  } finally {
    await pool.end()
  }
}
