import { Load } from '../../http/load.js'
import { openScenes, type Scene } from '../../http/scenes.js'
import { Wrk } from '../../http/wrk.js'
import type { Benchmark, Row, Settings, Table, Target } from '../../harness/benchmark.js'
import { figure } from '../../harness/print.js'
import { ratioOf, spreadOf } from '../../harness/statistics.js'
import { startPostgres } from '../../../test/helpers/servers/postgres.js'
import { startRedis } from '../../../test/helpers/servers/redis.js'

const CONNECTIONS = 64
/** An HTTP turn is this many times as long as the others: wrk counts in whole seconds. */
const TURN_FACTOR = 4
/** Before a turn, to compile and to see that the answers are the expected ones, in ms. */
const RUN_UP_MS = 150
const STEADY_FACTOR = 8

export const benchmark: Benchmark = {
  title: 'requests per second and latency, against a bare Fastify that sends a constant',
  parameters: { connections: CONNECTIONS, 'document (bytes)': 1024 },
  run: async (settings) => {
    const [postgres, redis] = [await startPostgres(), await startRedis()]
    const load = new Load()
    const scenes = await openScenes({
      databaseUrl: await postgres.createDatabase(),
      redisUrl: redis.url,
      isSmall: settings.isSmoke,
    })
    try {
      const wrk = new Wrk()
      for (const { server } of scenes.all) await wrk.pin(server.pid)
      const turns = await takeTurns(settings, { load, wrk }, scenes.all)
      const tables = [
        table(turns, 'a design of 1 KiB', 'a constant of 1 KiB', {
          'memory hit': { of: 'ratio', atLeast: 0.8 },
        }),
        table(turns, 'a list of 50 designs', 'a constant of that list', {
          'list, memory hit': { of: 'ratio', atLeast: 0.8 },
        }),
        against(turns, 'against an object through its schema', 'an object by its schema', ['memory hit'], 1),
        against(turns, 'a 304 against the document', 'memory hit', ['304'], 1),
        against(turns, 'below memory', 'memory hit', ['Redis only', 'no cache, PostgreSQL'], 0.6),
      ]
      return [...tables, await steady(settings, load, scenes.all, turns)]
    } finally {
      await load.stop()
      await scenes.close()
      await postgres.stop()
      await redis.stop()
    }
  },
}

/** Ours is for the run-up, which looks at every status, and for even rates; wrk for what is measured. */
interface Loads {
  readonly load: Load
  readonly wrk: Wrk
}

interface Turn {
  readonly rate: number
  /** Microseconds of the server's processor time for one answer. */
  readonly cpu: number
  readonly serverBusy: number
  /** Of the answers, those that came from where the scene's name says. */
  readonly share: number
}

async function takeTurns(
  settings: Settings,
  loads: Loads,
  scenes: readonly Scene[],
): Promise<ReadonlyMap<string, readonly Turn[]>> {
  const turns = new Map<string, Turn[]>(scenes.map(({ name }) => [name, []]))
  const ms = settings.roundMs * TURN_FACTOR
  for (let round = 0; round <= settings.rounds; round++) {
    for (let n = 0; n < scenes.length; n++) {
      const scene = scenes[(n + round) % scenes.length]
      if (scene === undefined) continue
      const turn = await takeTurn(scene, loads, ms)
      if (round > 0) turns.get(scene.name)?.push(turn)
    }
  }
  return turns
}

async function takeTurn(scene: Scene, { load, wrk }: Loads, ms: number): Promise<Turn> {
  const { server, requests, expected } = scene
  const runUp = await load.run({ port: server.port, requests, connections: CONNECTIONS, ms: RUN_UP_MS, expected })
  if (runUp.unexpected > 0) throw new Error(`${scene.name}: ${runUp.unexpected} answers were not ${expected}`)
  await scene.prepare?.()
  const cpuBefore = await server.cpuSeconds()
  const { answers, seconds } = await wrk.run({ port: server.port, requests, connections: CONNECTIONS, ms })
  const cpu = (await server.cpuSeconds()) - cpuBefore
  return {
    rate: answers / seconds,
    cpu: (cpu * 1e6) / answers,
    serverBusy: cpu / seconds,
    share: (await scene.share?.(answers)) ?? 1,
  }
}

type Turns = ReadonlyMap<string, readonly Turn[]>

function table(turns: Turns, title: string, floor: string, targets: Readonly<Record<string, Target>>): Table {
  const isList = title.includes('list')
  const names = [...turns.keys()].filter((name) => name.includes('list') === isList)
  return {
    title,
    floor,
    rows: names.map((name) => row(turns, name, floor, targets[name])),
    notes: ['µs: processor time of the server for one answer. Busy: of one core.'],
  }
}

function against(turns: Turns, title: string, floor: string, names: readonly string[], atLeast: number): Table {
  const target = (name: string): Target | undefined =>
    name.startsWith('no cache') ? undefined : { of: 'ratio', atLeast }
  return { title, floor, rows: names.map((name) => row(turns, name, floor, target(name))) }
}

function row(turns: Turns, name: string, floor: string, target: Target | undefined): Row {
  const [own, floors] = [turns.get(name) ?? [], turns.get(floor) ?? []]
  const median = (of: (turn: Turn) => number): number => spreadOf(own.map(of)).median
  const cpuRatio = spreadOf(floors.map(({ cpu }) => cpu)).median / median(({ cpu }) => cpu)
  const { min } = spreadOf(own.map(({ share }) => share))
  const others = min < 0.98 ? `; **in one turn only ${figure(100 * min)} % were ${name}**` : ''
  const busy = `busy ${figure(median((turn) => turn.serverBusy))}`
  return {
    name,
    value: spreadOf(own.map(({ rate }) => rate)),
    unit: '/s',
    ratio:
      name === floor
        ? undefined
        : ratioOf(
            own.map(({ rate }) => rate),
            floors.map(({ rate }) => rate),
          ),
    target,
    note: `${figure(median(({ cpu }) => cpu))} µs${name === floor ? '' : ` (ratio ${figure(cpuRatio)})`}, ${busy}${others}`,
  }
}

/** Each at half of its own highest rate, sent evenly; latency counts from when a request was due. */
async function steady(settings: Settings, load: Load, scenes: readonly Scene[], turns: Turns): Promise<Table> {
  const names = ['a constant of 1 KiB', 'memory hit']
  const p99 = new Map<string, number[]>(names.map((name) => [name, []]))
  for (let round = 0; round < settings.rounds; round++) {
    for (const scene of scenes.filter(({ name }) => names.includes(name))) {
      const { server, requests, expected, name } = scene
      const ratePerSecond = spreadOf((turns.get(name) ?? []).map(({ rate }) => rate)).median / 2
      const ms = settings.roundMs * STEADY_FACTOR
      const result = await load.run({
        port: server.port,
        requests,
        connections: CONNECTIONS,
        ms,
        ratePerSecond,
        expected,
      })
      p99.get(name)?.push(result.p99)
    }
  }
  const [floors = [], own = []] = names.map((name) => p99.get(name))
  return {
    title: 'p99 at half of the highest rate, sent evenly',
    floor: names[0] ?? '',
    rows: [
      { name: names[0] ?? '', value: spreadOf(floors), unit: 'ms' },
      {
        name: names[1] ?? '',
        value: spreadOf(own),
        unit: 'ms',
        ratio: ratioOf(own, floors),
        target: { of: 'ratio', atMost: 2 },
      },
    ],
    notes: ['Latency counts from the moment a request was due: one that waits for a connection waits in the figure.'],
  }
}
