import { buildApp } from '../../../app.js'
import { loadConfig } from '../../../plugins/config.js'
import { Load } from '../../http/load.js'
import { type Counts, during, evenly, readsOf, type Replicas, withReplicas } from '../../http/replicas.js'
import type { Shop } from '../../http/big-catalogue.js'
import type { Benchmark, Row, Settings, Table } from '../../harness/benchmark.js'
import { figure } from '../../harness/print.js'
import { ratioOf, spreadOf } from '../../harness/statistics.js'
import { HttpConnection } from '../../../test/helpers/http-connection.js'
import { Seeded } from '../../../test/helpers/seeded.js'

const ROWS = 100_000
const BATCH = 500
const WRITES_PER_SECOND = 200
const WRITERS = 16
const READS_PER_SECOND = 300
const CONNECTIONS = 16
const TURN_FACTOR = 10
/** Timer alone: every H/3. */
const TIMER_TAILS = 3
/** Each round imports everything anew. */
const MOST_ROUNDS = 3

export const benchmark: Benchmark = {
  title: 'what others notice of one who imports, and of one who writes without a pause',
  parameters: {
    'rows imported': ROWS,
    'writes a second': WRITES_PER_SECOND,
    'reads of others a second and replica': READS_PER_SECOND,
    replicas: 2,
  },
  run: (settings) =>
    withReplicas({ shops: 10, designsEach: 50 }, async (replicas) => {
      const loads = replicas.servers.map(() => new Load())
      const [busy, ...others] = replicas.shops
      if (busy === undefined) throw new Error('There are shops')
      const read = (ms: number): Promise<number> => p99Of(replicas, loads, others, ms, settings.seed)
      try {
        // Everything is in memory, and compiled.
        await read(settings.isSmoke ? 300 : 5_000)
        const tables = [await ofWriter(settings, replicas, busy, read), await ofImport(settings, replicas, read)]
        return tables.map((table) => ({ ...table, notes: [...(table.notes ?? []), replicas.note] }))
      } finally {
        await Promise.all(loads.map((load) => load.stop()))
      }
    }),
}

/** The worse of the replicas' p99, in ms from when a request was due. */
async function p99Of(
  { servers }: Replicas,
  loads: readonly Load[],
  shops: readonly Shop[],
  ms: number,
  seed: number,
): Promise<number> {
  const requests = new Seeded(seed).shuffled(readsOf(shops))
  const order = { requests, connections: CONNECTIONS, ms, ratePerSecond: READS_PER_SECOND, expected: 200 }
  const results = await Promise.all(servers.map(({ port }, n) => loads[n]!.run({ ...order, port })))
  const unexpected = results.reduce((sum, result) => sum + result.unexpected, 0)
  if (unexpected > 0) throw new Error(`${unexpected} reads were not answered with 200`)
  return Math.max(...results.map(({ p99 }) => p99))
}

type Read = (ms: number) => Promise<number>

async function ofWriter(
  settings: Settings,
  replicas: Replicas,
  { token, designIds }: Shop,
  read: Read,
): Promise<Table> {
  const ms = settings.roundMs * TURN_FACTOR
  const port = replicas.servers[0]!.port
  const connections = Array.from({ length: WRITERS }, () => new HttpConnection(port, { token }))
  const [quiet, busy]: [number[], number[]] = [[], []]
  const perReplica: { counts: Counts; seconds: number; writes: number }[] = []
  for (let round = 0; round <= settings.rounds; round++) {
    const alone = await read(ms)
    const { result, counts, seconds } = await during(replicas, async () => {
      const endsAt = performance.now() + ms
      const free = [...connections]
      const write = async (n: number): Promise<void> => {
        const connection = free.pop()
        // All of them wait: the server is slower than the rate.
        if (connection === undefined) return
        const path = `/api/designs/${designIds[n % designIds.length]}`
        const { status } = await connection.send({ method: 'PATCH', path, body: { description: `text ${round} ${n}` } })
        if (status !== 200) throw new Error(`A write was answered with ${status}`)
        written += 1
        free.push(connection)
      }
      let written = 0
      const until = (): boolean => performance.now() >= endsAt
      const [p99] = await Promise.all([read(ms), evenly({ perSecond: WRITES_PER_SECOND, until }, write)])
      return { p99, written }
    })
    if (round === 0) continue
    quiet.push(alone)
    busy.push(result.p99)
    perReplica.push(...counts.map((one) => ({ counts: one, seconds, writes: result.written })))
  }
  for (const connection of connections) connection.close()
  const writes = spreadOf(perReplica.map((one) => (1_000 * one.writes) / ms)).median
  return {
    title: `one user writes ${WRITES_PER_SECOND} times a second and reads nothing; others read`,
    floor: 'nobody writes',
    rows: [
      ...p99Rows(quiet, busy, 'while one writes', 1.2),
      {
        name: 'tails of a replica',
        value: spreadOf(perReplica.map(({ counts, seconds }) => counts.tails / seconds)),
        unit: '/s',
        target: { of: 'value', atMost: TIMER_TAILS + 0.2 },
        note: `${TIMER_TAILS} a second by the timer`,
      },
      stateRow(perReplica.map(({ counts }) => counts)),
    ],
    notes: [`${figure(writes)} writes/s were done.`],
  }
}

async function ofImport(settings: Settings, replicas: Replicas, read: Read): Promise<Table> {
  const rows = settings.isSmoke ? 2 * BATCH : ROWS
  const app = await buildApp(loadConfig(replicas.env), { logLevel: 'silent' })
  const [quiet, busy, seconds]: [number[], number[], number[]] = [[], [], []]
  const all: Counts[] = []
  try {
    for (let round = 0; round < Math.min(settings.rounds, MOST_ROUNDS); round++) {
      const { value: user } = await app.users
        .create({ email: `import-${round}@example.com`, shop_name: 'A shop' })
        .then(({ id }) => app.users.get(id))
      if (user === undefined) throw new Error('The user was made a moment ago')
      const userId = user.parse<{ id: string }>().id
      const { result, counts } = await during(replicas, async () => {
        const progress = { isDone: false }
        const p99s: number[] = []
        const others = async (): Promise<void> => {
          while (!progress.isDone) p99s.push(await read(settings.roundMs * TURN_FACTOR))
        }
        const reading = others()
        const startedAt = performance.now()
        try {
          for (let n = 0; n < rows; n += BATCH) {
            await app.designs.createMissing(
              userId,
              Array.from({ length: BATCH }, (_, at) => design(n + at)),
            )
          }
        } finally {
          progress.isDone = true
        }
        const took = (performance.now() - startedAt) / 1_000
        await reading
        return { p99: spreadOf(p99s).median, took }
      })
      quiet.push(await read(settings.roundMs * TURN_FACTOR))
      busy.push(result.p99)
      seconds.push(result.took)
      all.push(...counts)
    }
  } finally {
    await app.close()
  }
  return {
    title: `${rows.toLocaleString('en-US')} rows are imported (createMissing, ${BATCH} at a time) by a third process; others read`,
    floor: 'nobody imports',
    rows: [...p99Rows(quiet, busy, 'while one imports', 2), stateRow(all)],
    notes: [`The import took ${figure(spreadOf(seconds).median)} s.`],
  }
}

function p99Rows(quiet: readonly number[], busy: readonly number[], name: string, atMost: number): Row[] {
  return [
    { name: 'p99 of others, else', value: spreadOf(quiet), unit: 'ms' },
    {
      name: `p99 of others ${name}`,
      value: spreadOf(busy),
      unit: 'ms',
      ratio: ratioOf(busy, quiet),
      target: { of: 'ratio', atMost },
    },
  ]
}

function stateRow(counts: readonly Counts[]): Row {
  const changes = counts.map(({ stateChanges }) => stateChanges)
  const most = Math.max(...changes)
  return {
    name: 'changes of state of a replica',
    value: { median: most, min: Math.min(...changes), max: most },
    unit: 'changes',
    target: { of: 'value', atMost: 0 },
  }
}

function design(n: number) {
  return {
    filename: `imported-${n}.png`,
    file_path: `designs/imported-${n}.png`,
    description: 'A pattern of leaves in four colours, drawn by hand and printed on cotton. '.repeat(8),
    tags: ['leaves', 'cotton'],
    platform: 'etsy' as const,
  }
}
