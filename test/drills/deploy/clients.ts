/** All clients of the deploy drill, in a process of their own with one clock. */
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { HttpConnection } from '../../helpers/http-connection.js'
import { Seeded } from '../../helpers/seeded.js'
import type { DesignBody, Shop } from '../catalogue.js'
import { finalCheck, type FinalReport } from '../final-check.js'
import { Ledger, type LedgerReport } from '../ledger.js'
import { makeShops } from '../shops.js'
import { Tenant } from '../tenant.js'
import { Worker } from '../worker.js'
import { Pacer } from './pacer.js'
import { DirectConnection, Routes } from './routes.js'
import { Follower, type ReaderOptions, Watcher } from './streams.js'
import { Uploader } from './uploads.js'

export interface ClientOptions {
  readonly balancerPort: number
  /** Of the replicas themselves, for clients without a balancer. */
  readonly ports: readonly number[]
  readonly adminToken: string
  readonly databaseUrl: string
  readonly seed: number
  readonly boundMs: number
  /** Through the balancer, a second. */
  readonly rate: number
  /** How long a replica serves on after it was told to go: pauses of clients are around it. */
  readonly servedMs: number
  readonly longestUploadMs: number
  /** Clients without a balancer, each with pauses of its own length. */
  readonly directClients: number
}

export type ClientOrder =
  | { readonly kind: 'start'; readonly options: ClientOptions }
  | { readonly kind: 'phases'; readonly phases: readonly string[] }
  | { readonly kind: 'ports'; readonly ports: readonly number[] }
  | { readonly kind: 'stop' }

export type ClientNews = { readonly kind: 'ready' } | { readonly kind: 'result'; readonly result: ClientReport }

export interface ClientReport extends LedgerReport {
  readonly elapsedMs: number
  readonly authChanges: Readonly<Record<string, number>>
  readonly uploads: number
  readonly changes: number
  readonly resumed: number
  readonly watched: { readonly events: number; readonly resumed: number; readonly longestGapMs: number }
  /** What a follower missed or was told twice. */
  readonly flaws: readonly string[]
  readonly final: FinalReport
}

const SHOPS = 8
const WORKERS = 48
const FOLLOWERS = 6
const WATCHERS = 2
const UPLOADERS = 6
/** After the last write, for the last change to arrive. */
const LEAST_SETTLE_MS = 1_500
/** Longer than this nobody waits. */
const TIME_LIMIT_MS = 10_000

const ledger = new Ledger()
const stopping = new AbortController()
// Everybody who pauses listens to it.
setMaxListeners(0, stopping.signal)
let routes = new Routes([])

process.on('message', (order: ClientOrder) => {
  if (order.kind === 'start') void run(order.options)
  else if (order.kind === 'phases') ledger.phases = order.phases
  else if (order.kind === 'ports') routes.ports = order.ports
  else stopping.abort()
})
process.on('disconnect', () => process.exit())

async function run(options: ClientOptions): Promise<void> {
  const { balancerPort: port, adminToken, seed, boundMs, rate } = options
  const shops = await makeShops({ port, adminToken, shops: SHOPS })
  routes = new Routes(options.ports)
  const pacer = new Pacer(rate)
  const isStopped = (): boolean => stopping.signal.aborted
  const common = { ledger, boundMs, isStopped, shops }
  const pace = (): Promise<void> => pacer.turn()
  const balanced = Array.from({ length: WORKERS }, (_, n) => {
    const connection = new HttpConnection(port, { timeLimitMs: TIME_LIMIT_MS, keepAliveMs: 60_000 })
    return new Worker({ ...common, replica: 0, port, connection, pace, random: new Seeded(seed + n) })
  })
  const direct = Array.from({ length: options.directClients }, (_, n) => directWorker(n, { ...options, ...common }))
  const tenant = new Tenant({ ...common, ports: [port], adminToken, pace, random: new Seeded(seed + 2_000) })
  let isOver = false
  const { followers, watchers, uploaders } = readersOf(options, shops, { isStopped, isOver: () => isOver })
  await Promise.all(followers.map((follower) => follower.begin()))
  say({ kind: 'ready' })
  const startedAt = performance.now()
  stopping.signal.addEventListener('abort', () => pacer.stop())
  const reading = Promise.all([...followers, ...watchers].map((reader) => reader.run()))
  await Promise.all([...balanced, ...direct, tenant, ...uploaders].map((client) => client.run()))
  const elapsedMs = performance.now() - startedAt
  await sleep(Math.max(LEAST_SETTLE_MS, 0.75 * boundMs))
  isOver = true
  await reading
  const { databaseUrl } = options
  const final = await finalCheck({ shops, ports: routes.serving, databaseUrl })
  const result: ClientReport = {
    ...ledger.report(),
    elapsedMs,
    authChanges: tenant.done,
    uploads: sum(uploaders.map(({ done }) => done)),
    changes: sum(followers.map(({ copy }) => copy.changes)),
    resumed: sum(followers.map(({ resumed }) => resumed)),
    watched: {
      events: sum(watchers.map(({ events }) => events)),
      resumed: sum(watchers.map(({ resumed }) => resumed)),
      longestGapMs: Math.max(...watchers.map(({ longestGapMs }) => longestGapMs)),
    },
    flaws: await flawsOf(shops, followers, databaseUrl),
    final,
  }
  say({ kind: 'result', result })
}

/** Its pauses are all about as long, from a fraction of the time that a replica serves on to more than that. */
function directWorker(
  n: number,
  options: ClientOptions & { readonly shops: readonly Shop[]; readonly isStopped: () => boolean },
): Worker {
  const { seed, servedMs, shops, isStopped, boundMs, directClients } = options
  const random = new Seeded(seed + 1_000 + n)
  const pauseMs = servedMs * 0.05 * 30 ** (n / directClients)
  const pace = (): Promise<unknown> =>
    sleep(pauseMs * (0.8 + 0.4 * random.next()), undefined, { signal: stopping.signal }).catch(() => {})
  const connection = new DirectConnection(routes, n, TIME_LIMIT_MS)
  return new Worker({ ledger, boundMs, isStopped, shops, replica: n % 2, port: 0, connection, pace, random })
}

/** Half of each kind through the balancer, half without. */
function readersOf(
  options: ClientOptions,
  shops: readonly Shop[],
  { isStopped, isOver }: { readonly isStopped: () => boolean; readonly isOver: () => boolean },
) {
  const { seed, balancerPort, adminToken, longestUploadMs } = options
  const reader = (n: number): ReaderOptions => ({
    port: n % 2 === 0 ? () => balancerPort : () => routes.port(turn++),
    onRefused: (port) => routes.leave(port),
    ledger,
    random: new Seeded(seed + 3_000 + n),
    isStopped: isOver,
  })
  let turn = 0
  const followers = shops.slice(0, FOLLOWERS).map((shop, n) => new Follower(shop, reader(n)))
  const watchers = Array.from({ length: WATCHERS }, (_, n) => new Watcher({ ...reader(100 + n), adminToken }))
  const uploaders = Array.from({ length: UPLOADERS }, (_, n) => {
    const onLeaving = (port: number): void => routes.leave(port)
    const times = { lowMs: longestUploadMs / 5, highMs: longestUploadMs }
    return new Uploader({ ...reader(200 + n), ...times, shops, onLeaving, isStopped })
  })
  return { followers, watchers, uploaders }
}

async function flawsOf(shops: readonly Shop[], followers: readonly Follower[], databaseUrl: string): Promise<string[]> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  try {
    const statement = 'select id, version::integer as version, description from designs where user_id = $1'
    const flaws: string[] = []
    for (const [n, follower] of followers.entries()) {
      const { rows } = await client.query<DesignBody>(statement, [shops[n]?.userId])
      const found = follower.flaws(new Map(rows.map((row) => [row.id, row])))
      flaws.push(...found.map((flaw) => `follower ${n}: ${flaw}`))
    }
    return flaws
  } finally {
    await client.end()
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function say(news: ClientNews): void {
  process.send?.(news)
}
