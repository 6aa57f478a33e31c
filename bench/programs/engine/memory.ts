import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_TOKEN } from '../../http/catalogue.js'
import type { Benchmark, Row, Settings } from '../../harness/benchmark.js'
import type { Sample } from '../../harness/contender.js'
import { ContenderProcess, sibling } from '../../harness/contender-process.js'
import { figure } from '../../harness/print.js'
import { withContenders } from '../../harness/rounds.js'
import { spreadOf } from '../../harness/statistics.js'
import { startPostgres } from '../../../test/helpers/servers/postgres.js'
import { startRedis } from '../../../test/helpers/servers/redis.js'
import { freePort } from '../../../test/helpers/servers/servers.js'

const MODULE = sibling(import.meta.url, '../../contenders/sizes')
const SERVER = fileURLToPath(sibling(import.meta.url, '../../../server'))
const ENTRIES = 100_000
const HITS = 10_000_000
const REDIS_ENTRIES = 10_000
/** As long as the right to load stays in Redis. */
const LEASES_MS = 2_100
/** Each round fills everything anew. */
const MOST_ROUNDS = 3
const START_LIMIT_MS = 30_000

export const benchmark: Benchmark = {
  title: 'what entries take in memory and in Redis, and how long a start takes',
  parameters: { entries: ENTRIES, 'value (bytes)': 1024, hits: HITS },
  run: async (settings) => {
    const rounds = Math.min(settings.rounds, MOST_ROUNDS)
    return [
      { title: 'the memory tier', rows: await tierRows(settings, rounds) },
      { title: 'Redis', rows: [await redisRow(settings, rounds)] },
      {
        title: 'from the start of the process to its first 200 (PostgreSQL)',
        rows: await startRows(rounds),
        notes: ['Compiled JavaScript, as in production; /api/cache/health is asked every 5 ms.'],
      },
    ]
  },
}

async function tierRows({ isSmoke }: Settings, rounds: number): Promise<Row[]> {
  const parameters = { entries: isSmoke ? ENTRIES / 100 : ENTRIES, hits: isSmoke ? HITS / 100 : HITS }
  const samples: Record<string, Record<string, number>[]> = { bytes: [], hits: [], clear: [] }
  for (let round = 0; round < rounds; round++) {
    const contender = await ContenderProcess.open({ module: MODULE, name: 'roundhouse', parameters })
    try {
      for (const [turn, found] of Object.entries(samples)) found.push(await contender.turn(turn, 0))
    } finally {
      await contender.close()
    }
  }
  const figures = (turn: string, name: string): number[] =>
    (samples[turn] ?? []).map((sample) => sample[name] ?? Number.NaN)
  const text = spreadOf(figures('bytes', 'text')).median
  const shares = figures('bytes', 'perEntry').map((bytes) => bytes / text)
  const atMost = (bound: number): Row['target'] => ({ of: 'value', atMost: bound })
  return [
    {
      name: 'held for an entry, against its text',
      value: spreadOf(shares),
      unit: '×',
      target: atMost(1.5),
      note: `${figure(spreadOf(figures('bytes', 'perEntry')).median)} bytes for ${figure(text)}; heap and external memory, with key, tags and their places in the maps`,
    },
    {
      name: `resident memory after ${parameters.hits.toLocaleString('en-US')} hits, against before`,
      value: spreadOf(figures('hits', 'growth')),
      unit: '×',
      target: atMost(1.1),
      note: `${figure(spreadOf(figures('hits', 'before')).median)} MiB before`,
    },
    {
      name: 'event-loop delay while a user with all entries is cleared, p99',
      value: spreadOf(figures('clear', 'p99')),
      unit: 'ms',
      target: atMost(5),
      note: `longest ${figure(spreadOf(figures('clear', 'longest')).max)} ms; unreadable after ${figure(spreadOf(figures('clear', 'ms')).median)} ms, freed after ${figure(spreadOf(figures('clear', 'freed')).median)} ms`,
    },
  ]
}

async function redisRow({ isSmoke }: Settings, rounds: number): Promise<Row> {
  const redis = await startRedis()
  const entries = isSmoke ? REDIS_ENTRIES / 100 : REDIS_ENTRIES
  const parameters = { redisUrl: redis.url, entries, leasesMs: LEASES_MS }
  try {
    const samples: Sample[] = []
    await withContenders({ module: MODULE, names: ['in Redis'], parameters }, async ([contender]) => {
      if (contender === undefined) throw new Error('There is one contender')
      for (let round = 0; round < rounds; round++) samples.push(await contender.turn('bytes', 0))
    })
    const of = (name: string): number[] => samples.map((sample) => sample[name] ?? Number.NaN)
    const document = spreadOf(of('document')).median
    return {
      name: 'bytes of an entry, against its document',
      value: spreadOf(of('perEntry').map((bytes) => bytes / document)),
      unit: '×',
      target: { of: 'value', atMost: 1.4 },
      note: `${figure(spreadOf(of('perEntry')).median)} bytes for ${figure(document)} (used_memory_dataset, with key and lifetime)`,
    }
  } finally {
    await redis.stop()
  }
}

async function startRows(rounds: number): Promise<Row[]> {
  const postgres = await startPostgres()
  const url = await postgres.createDatabase()
  try {
    const fresh = await startOnce(url)
    const times: number[] = []
    for (let round = 0; round < rounds; round++) times.push(await startOnce(url))
    return [
      { name: 'an empty database, migrated first', value: spreadOf([fresh]), unit: 'ms' },
      { name: 'a migrated database', value: spreadOf(times), unit: 'ms', target: { of: 'value', atMost: 1_000 } },
    ]
  } finally {
    await postgres.stop()
  }
}

async function startOnce(databaseUrl: string): Promise<number> {
  const port = await freePort()
  const env = {
    PATH: process.env['PATH'],
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: String(port),
    DATABASE_URL: databaseUrl,
    ADMIN_TOKENS: ADMIN_TOKEN,
  }
  const startedAt = performance.now()
  const server = spawn(process.execPath, [...process.execArgv, SERVER], { env, stdio: 'ignore' })
  const exited = once(server, 'exit')
  try {
    while (!(await isUp(port))) {
      if (server.exitCode !== null || performance.now() - startedAt > START_LIMIT_MS) throw new Error('No start')
      await sleep(5)
    }
    return performance.now() - startedAt
  } finally {
    server.kill('SIGKILL')
    await exited
  }
}

async function isUp(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/api/cache/health`)).status === 200
  } catch {
    return false
  }
}
