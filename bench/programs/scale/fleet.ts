import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { v7 as newId } from 'uuid'
import { cachedTables } from '../../../services/cache-map.js'
import { openCache, type TieredCache } from '../../../services/cache/index.js'
import {
  type Database,
  type MigratableDatabase,
  migrate,
  openDatabase,
  openJournal,
} from '../../../services/database/index.js'
import { startPostgres } from '../../../test/helpers/servers/postgres.js'
import { Seeded } from '../../../test/helpers/seeded.js'
import type { Benchmark, Row } from '../../harness/benchmark.js'
import { figure } from '../../harness/print.js'
import { quantile, single } from '../../harness/statistics.js'

const FLEETS = [10, 30, 100]
const ROWS = 200
/** Of one replica, a second. */
const READS = 10
/** Of all of them, a second. */
const WRITES = 20
/** Of all of them, a second, by which nothing but the announcing is measured. */
const ANNOUNCED = 500
const PHASE_FACTOR = 20
/** Ten tails at the slowest pace. */
const WARM_UP_MS = 6_000
/** How much of a core of the server's all replicas may take by following the journal. */
const MOST_PERCENT = 10

interface Replica {
  readonly cache: TieredCache
  readonly database: MigratableDatabase
  /** Statements so far, by name. */
  readonly statements: Map<string, number>
}

/** What is known to be committed of a row: its versions, and when each was acknowledged. */
type Written = Map<string, { readonly version: number; readonly at: number }[]>

export const benchmark: Benchmark = {
  title:
    'many replicas of the engine on one PostgreSQL: what following the journal costs it, and how old their answers are',
  parameters: {
    rows: ROWS,
    'reads a second and replica': READS,
    'writes a second': WRITES,
    'announced a second': ANNOUNCED,
  },
  async run({ roundMs, seed, isSmoke }) {
    const postgres = await startPostgres({ max_connections: '500' })
    const fleet: Replica[] = []
    const ms = roundMs * PHASE_FACTOR
    const [idle, busy, telling]: [Row[], Row[], Row[]] = [[], [], []]
    try {
      const url = await postgres.createDatabase()
      const writer = await openDatabase({ url, dataDir: '', poolSize: 4 })
      await migrate(writer, cachedTables)
      const ids = await makeRows(writer)
      for (const size of isSmoke ? [2] : FLEETS) {
        while (fleet.length < size) fleet.push(await openReplica(url))
        for (const { cache } of fleet) cache.sharesJournal(size)
        // A backend plans the statements of a tail anew for its first calls.
        await sleep(isSmoke ? 1_000 : WARM_UP_MS)
        const quiet = await watched(postgres.pid, fleet, () => sleep(ms))
        idle.push(row(size, quiet, size === FLEETS.at(-1)))
        const ages: number[] = []
        const traffic = await watched(postgres.pid, fleet, () => run({ writer, fleet, ids, ms, seed, ages }))
        const old = ages.filter((age) => age > 0)
        const said = `answers older than an acknowledged write: ${old.length} of ${ages.length}, p99 ${figure(quantile(ages, 0.99))} ms, the oldest ${figure(Math.max(0, ...old))} ms`
        busy.push({ ...row(size, traffic, false), note: `${noteOf(size, traffic)}; ${said}` })
        const told = await watched(postgres.pid, fleet, () => announce(fleet, ids, { ms, seed }))
        telling.push(row(size, told, false))
      }
      await writer.close()
    } finally {
      await Promise.all(fleet.map(({ cache }) => cache.close()))
      await Promise.all(fleet.map(({ database }) => database.close()))
      await postgres.stop()
    }
    const notes = [
      'Processor time of the server and all its backends. Every replica has a pool of one connection and one that listens.',
    ]
    return [
      { title: 'nobody reads or writes', rows: idle, notes },
      { title: 'reads and writes', rows: busy, notes: ['With the loads and the writes themselves.'] },
      {
        title: `writes of all replicas, ${ANNOUNCED} a second together, that are announced and nothing else`,
        rows: telling,
        notes: ['Less what nobody reads or writes: the announcements.'],
      },
    ]
  },
}

async function makeRows(database: Database): Promise<string[]> {
  const userId = newId()
  const user = 'insert into users (id, email, shop_name) values ($1::uuid, $2::text, $3::text)'
  await database.query({ name: 'fleet.user', text: user, values: [userId, 'fleet@example.com', 'A shop'] })
  const ids = Array.from({ length: ROWS }, () => newId())
  await database.query({
    name: 'fleet.designs',
    text: `insert into designs (id, user_id, filename, file_path, platform, description)
      select id, $2::uuid, id || '.png', 'x', 'etsy', '0' from unnest($1::uuid[]) id`,
    values: [ids, userId],
  })
  return ids.map((id) => `${userId}/designs/${id}`)
}

async function openReplica(url: string): Promise<Replica> {
  const statements = new Map<string, number>()
  const onQuery = (name: string): unknown => statements.set(name, (statements.get(name) ?? 0) + 1)
  const database = await openDatabase({ url, dataDir: '', poolSize: 1, onQuery })
  const journal = openJournal(database, { tables: cachedTables, tailTimeoutMs: 1_000 })
  return { cache: await openCache({ journal, maxItems: ROWS }), database, statements }
}

/** Every replica has its part in the writes, which change nothing: what they cost the server is their announcements. */
async function announce(
  fleet: readonly Replica[],
  ids: readonly string[],
  { ms, seed }: { readonly ms: number; readonly seed: number },
): Promise<void> {
  const endsAt = performance.now() + ms
  await Promise.all(
    fleet.map(({ cache }, n) => {
      const seeded = new Seeded(seed + n)
      return every(seeded, { perSecond: ANNOUNCED / fleet.length, endsAt }, () =>
        cache.write([seeded.pick(ids)], nothing),
      )
    }),
  )
}

async function nothing(): Promise<void> {}

async function every(
  seeded: Seeded,
  { perSecond, endsAt }: { readonly perSecond: number; readonly endsAt: number },
  work: () => Promise<void>,
): Promise<void> {
  let due = performance.now() + (seeded.next() * 1_000) / perSecond
  while (due < endsAt) {
    await sleep(Math.max(0, due - performance.now()))
    await work()
    due = Math.max(due, performance.now()) + 1_000 / perSecond
  }
}

/** Every replica reads at its pace, one writer writes at its own; what each read began too late for is noted in `ages`. */
async function run(options: {
  readonly writer: Database
  readonly fleet: readonly Replica[]
  readonly ids: readonly string[]
  readonly ms: number
  readonly seed: number
  readonly ages: number[]
}): Promise<void> {
  const { writer, fleet, ids, ms, seed, ages } = options
  const endsAt = performance.now() + ms
  const written: Written = new Map()
  const write = async (seeded: Seeded): Promise<void> => {
    const tag = seeded.pick(ids)
    const text =
      'update designs set description = (description::int + 1)::text where id = $1::uuid returning description'
    const [row] = await writer.query<{ description: string }>({ name: 'fleet.write', text, values: [tag.slice(-36)] })
    const versions = written.get(tag) ?? []
    written.set(tag, [...versions, { version: Number(row?.description), at: performance.now() }])
  }
  const read = async ({ cache, database }: Replica, seeded: Seeded): Promise<void> => {
    const tag = seeded.pick(ids)
    const beganAt = performance.now()
    const { value } = await cache.getOrLoad(tag, { tags: [tag] }, async () => {
      const text = 'select description from designs where id = $1::uuid'
      const [row] = await database.query<{ description: string }>({
        name: 'fleet.load',
        text,
        values: [tag.slice(-36)],
        isPrepared: true,
      })
      return Number(row?.description)
    })
    const missed = written.get(tag)?.find(({ version }) => version > (value ?? -1))
    ages.push(missed === undefined ? 0 : Math.max(0, beganAt - missed.at))
  }
  const writerSeed = new Seeded(seed)
  await Promise.all([
    every(writerSeed, { perSecond: WRITES, endsAt }, () => write(writerSeed)),
    ...fleet.map((replica, n) => {
      const seeded = new Seeded(seed + n + 1)
      return every(seeded, { perSecond: READS, endsAt }, () => read(replica, seeded))
    }),
  ])
}

interface Watched {
  readonly percent: number
  readonly tails: number
  readonly loads: number
  readonly own: number
}

/** What the server spends meanwhile, in percent of one core, and what the replicas ask of it a second. */
async function watched(pid: number, fleet: readonly Replica[], work: () => Promise<unknown>): Promise<Watched> {
  const count = (part: string): number => {
    const named = fleet.flatMap(({ statements }) => [...statements].filter(([name]) => name.includes(part)))
    return named.reduce((sum, [, times]) => sum + times, 0)
  }
  const [tails, loads, ticks, own, at] = [
    count('tail'),
    count('fleet.load'),
    ticksOf(pid),
    process.cpuUsage(),
    performance.now(),
  ]
  await work()
  const seconds = (performance.now() - at) / 1_000
  const { user, system } = process.cpuUsage(own)
  return {
    percent: (ticksOf(pid) - ticks) / seconds,
    tails: (count('tail') - tails) / seconds,
    loads: (count('fleet.load') - loads) / seconds,
    own: (user + system) / 10_000 / seconds,
  }
}

/** Processor time of a server and its backends so far, in hundredths of a second. */
function ticksOf(pid: number): number {
  let ticks = 0
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')
      if (name === String(pid) || fields[1] === String(pid)) ticks += Number(fields[11]) + Number(fields[12])
    } catch {
      // It has just ended.
    }
  }
  return ticks
}

function row(size: number, found: Watched, isTarget: boolean): Row {
  const target = isTarget ? ({ of: 'value', atMost: MOST_PERCENT } as const) : undefined
  return {
    name: `${size} replicas`,
    value: single(found.percent),
    unit: '% of a core',
    target,
    note: noteOf(size, found),
  }
}

function noteOf(size: number, { tails, loads, own }: Watched): string {
  return `${figure(tails)} tails/s (${figure(tails / size)} each), ${figure(loads)} loads/s; the replicas' own process ${figure(own)} % of a core`
}
