import { join } from 'node:path'
import { OURS } from '../../contenders/names.js'
import { Load } from '../../http/load.js'
import { openScenes, type Scene } from '../../http/scenes.js'
import { selfTimes, timesByOwner } from '../../http/self-time.js'
import type { Benchmark, Row, Settings, Table } from '../../harness/benchmark.js'
import type { Parameters } from '../../harness/contender.js'
import { sibling } from '../../harness/contender-process.js'
import { withContenders } from '../../harness/rounds.js'
import { single } from '../../harness/statistics.js'
import { startPostgres } from '../../../test/helpers/servers/postgres.js'
import { startRedis } from '../../../test/helpers/servers/redis.js'
import { temporaryDirectory } from '../../../test/helpers/servers/servers.js'

const CONNECTIONS = 64
const TURN_FACTOR = 15
const SHOWN = 30
const SCENES = ['a constant of 1 KiB', 'memory hit', 'list, memory hit', 'Redis only']

/** Turns of one contender, without HTTP; in the second place the floor of the same case. */
interface Case {
  readonly title: string
  readonly module: 'hits' | 'fills' | 'writes'
  readonly names: readonly [string, string]
  readonly turn: string
  readonly parameters: Parameters
}

const CASES: readonly Case[] = [
  {
    title: 'a hit in memory',
    module: 'hits',
    names: [OURS, 'lru-cache'],
    turn: '64',
    parameters: { keys: 500, memoryItems: 1_000 },
  },
  {
    title: 'a hit in Redis',
    module: 'hits',
    names: [OURS, 'ioredis'],
    turn: '64',
    parameters: { keys: 20_000, memoryItems: 0 },
  },
  {
    title: 'a miss and its fill',
    module: 'fills',
    names: [OURS, 'ioredis'],
    turn: '64',
    parameters: { keys: 400_000, memoryItems: 1_000 },
  },
  { title: 'a write', module: 'writes', names: ['coherent write', 'begin; update; commit'], turn: '8', parameters: {} },
]

export const benchmark: Benchmark = {
  title:
    'where the processor time goes, by function, itself only: of one answer over HTTP, and of one read or write below it',
  parameters: { connections: CONNECTIONS },
  run: async (settings) => {
    const [postgres, redis] = [await startPostgres(), await startRedis()]
    try {
      const tables: Table[] = []
      for (const one of CASES) {
        const servers = { databaseUrl: await postgres.createDatabase(), redisUrl: redis.url }
        tables.push(...(await tablesOf(one, servers, settings)))
      }
      return [
        ...tables,
        ...(await overHttp(settings, { databaseUrl: await postgres.createDatabase(), redisUrl: redis.url })),
      ]
    } finally {
      await postgres.stop()
      await redis.stop()
    }
  },
}

interface Servers {
  readonly databaseUrl: string
  readonly redisUrl: string
}

async function tablesOf(one: Case, servers: Servers, { roundMs, seed, isSmoke }: Settings): Promise<Table[]> {
  const module = sibling(import.meta.url, `../../contenders/${one.module}`)
  const isInMemory = one.title === 'a hit in memory'
  const parameters = { ...one.parameters, ...(isInMemory ? {} : servers), seed, isSmoke }
  return withContenders({ module, names: one.names, parameters }, async (contenders) => {
    const tables: Table[] = []
    for (const contender of contenders) {
      const profile = join(temporaryDirectory(), 'turn.cpuprofile')
      await contender.turn(one.turn, roundMs)
      const ms = roundMs * TURN_FACTOR
      const { rate = Number.NaN } = await contender.turn(one.turn, ms, { profile })
      const operations = (rate * ms) / 1_000
      tables.push(...tablesOfProfile(`${one.title}: ${contender.name}`, profile, operations))
    }
    return tables
  })
}

async function overHttp(settings: Settings, servers: Servers): Promise<Table[]> {
  const load = new Load()
  const scenes = await openScenes({ ...servers, isSmall: settings.isSmoke })
  try {
    const tables: Table[] = []
    for (const scene of scenes.all.filter(({ name }) => SCENES.includes(name))) {
      tables.push(...(await profileOf(scene, load, settings)))
    }
    return tables
  } finally {
    await load.stop()
    await scenes.close()
  }
}

async function profileOf(
  { name, server, requests, expected }: Scene,
  load: Load,
  settings: Settings,
): Promise<Table[]> {
  const order = { port: server.port, requests, expected, connections: CONNECTIONS, ms: settings.roundMs * TURN_FACTOR }
  await load.run(order)
  const file = join(temporaryDirectory(), 'http.cpuprofile')
  let answers = 0
  await server.profile(file, async () => {
    answers = (await load.run(order)).answers
  })
  return tablesOfProfile(name, file, answers)
}

function tablesOfProfile(name: string, file: string, operations: number): Table[] {
  const notes = ['The profiler itself takes a part: the sum is more than without it.']
  return [
    { title: `${name}, by package or file`, rows: rowsOf(timesByOwner(file), operations), notes },
    { title: `${name}, by function`, rows: rowsOf(selfTimes(file), operations), notes },
  ]
}

function rowsOf(times: readonly [string, number][], operations: number): Row[] {
  const total = times.reduce((sum, [, time]) => sum + time, 0)
  return [['all', total] as const, ...times.slice(0, SHOWN)].map(([where, time]) => ({
    name: where,
    value: single(time / operations),
    unit: 'µs',
    note: `${((100 * time) / total).toFixed(1)} %`,
  }))
}
