import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { runSql } from '../../helpers/run-sql.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { startRedis } from '../../helpers/servers/redis.js'
import { TYPESCRIPT } from '../../helpers/typescript.js'
import { Seeded } from '../../helpers/seeded.js'
import { COMMITTED_WRITES } from '../final-check.js'
import { QUIET } from '../ledger.js'
import type { BalancerNews, BalancerOrder } from './balancer.js'
import type { ClientNews, ClientOrder, ClientReport } from './clients.js'
import { makeReleases, type Release } from './releases.js'
import { migrateTo, ReleaseProcess } from './release-process.js'

export interface DeployOptions {
  readonly seed: number
  /** Further settings of all replicas. */
  readonly env: Readonly<Record<string, string>>
  /** Requests a second through the balancer. */
  readonly rate: number
  /** Clients that speak to a replica itself. */
  readonly directClients: number
  readonly boundMs: number
  /** Both releases serve, before the old one is told to go. */
  readonly overlapMs: number
  /** Between SIGTERM and SIGKILL, as the platform says it to a replica. */
  readonly drainingSeconds: number
  /** Before and after each step. */
  readonly calmMs: number
  /** After the deploy the release before it is served again. */
  readonly hasRollback: boolean
  readonly log: (line: string) => void
}

/** One deploy as it happened. */
export interface Deploy {
  readonly name: string
  /** How long the balancer went on sending requests to each old replica. */
  readonly lagMs: readonly number[]
  readonly ends: readonly { readonly how: string; readonly ms: number }[]
}

export interface DeployReport {
  readonly deploys: readonly Deploy[]
  readonly clients: ClientReport
  /** What shows that two releases served side by side; `undefined` where it does not. */
  readonly evidence: Readonly<Record<string, string | undefined>>
  /** What replicas said at `error`. */
  readonly errorLines: readonly string[]
}

export const REPLICAS = 2
const ADMIN_TOKEN = 'an-admin-token-of-the-drill-0123456789'
const MEMORY_ITEMS = 200
const BALANCER = fileURLToPath(new URL('balancer.ts', import.meta.url))
const CLIENTS = fileURLToPath(new URL('clients.ts', import.meta.url))
/** The part of the draining time that a replica serves on, which `server.ts` says too, and of that the longest lag of the balancer. */
const SERVED_PART = 1 / 3
const LONGEST_SERVED_MS = 10_000
const LAG_PART = 0.8

/** The database, Redis, the balancer and the clients stay; releases come and go. Ends every process it started. */
export async function runDeployDrill(options: DeployOptions): Promise<DeployReport> {
  const { seed, rate, boundMs, drainingSeconds, log } = options
  const releases = makeReleases()
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  const databaseUrl = await postgres.createDatabase()
  const env = {
    ADMIN_TOKENS: ADMIN_TOKEN,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    CACHE_STALENESS_BOUND_MS: String(boundMs),
    CACHE_MAX_MEMORY_ITEMS: String(MEMORY_ITEMS),
    RAILWAY_DEPLOYMENT_DRAINING_SECONDS: String(drainingSeconds),
    LOG_LEVEL: 'warn',
    ...options.env,
  }
  const [balancer, clients] = [fork(BALANCER, { execArgv: [TYPESCRIPT] }), fork(CLIENTS, { execArgv: [TYPESCRIPT] })]
  const started: ReleaseProcess[] = []
  const killAll = (): void => started.forEach((replica) => replica.killNow())
  process.once('exit', killAll)
  try {
    const balancerUp = heard<BalancerNews, 'listening'>(balancer, 'listening')
    const scene: Scene = {
      ...options,
      releases,
      env,
      balancer,
      clients,
      started,
      databaseUrl,
      random: new Seeded(seed),
    }
    const current = await startAll(releases.current, scene)
    await runSql(databaseUrl, COMMITTED_WRITES)
    const { port: balancerPort } = await balancerUp
    await lead(balancer, current)
    const servedMs = servedOf(drainingSeconds)
    const common = { balancerPort, ports: portsOf(current), adminToken: ADMIN_TOKEN, databaseUrl, seed, boundMs, rate }
    // An upload that begins at the last moment has time to end before everything is cut off.
    const longestUploadMs = Math.min(20_000, (drainingSeconds * 1000) / 3)
    const { directClients } = options
    order(clients, { kind: 'start', options: { ...common, servedMs, longestUploadMs, directClients } })
    await heard<ClientNews, 'ready'>(clients, 'ready')
    log(`clients ready: ${rate} requests a second`)
    const evidence: Record<string, string | undefined> = {}
    const deploys = [await deploy('deploy', { from: current, to: releases.next }, scene, evidence)]
    if (options.hasRollback) {
      const next = started.slice(-REPLICAS)
      deploys.push(await deploy('rollback', { from: next, to: releases.current }, scene, evidence))
    }
    const result = heard<ClientNews, 'result'>(clients, 'result')
    order(clients, { kind: 'stop' })
    const report = (await result).result
    const errorLines = started.flatMap(({ log: lines }) =>
      lines.split('\n').filter((line) => line.includes('"level":"error"')),
    )
    return { deploys, clients: report, evidence, errorLines }
  } finally {
    for (const child of [clients, balancer]) child.kill('SIGKILL')
    killAll()
    process.off('exit', killAll)
    await Promise.all([redis.stop(), postgres.stop()])
  }
}

interface Scene extends DeployOptions {
  readonly releases: { readonly current: Release; readonly next: Release }
  readonly env: Readonly<Record<string, string>>
  readonly balancer: ChildProcess
  readonly clients: ChildProcess
  readonly started: ReleaseProcess[]
  readonly databaseUrl: string
  readonly random: Seeded
}

/** As the platform does it: pre-deploy, start, health check, overlap, SIGTERM; the balancer hears of that a moment later. */
async function deploy(
  name: string,
  { from, to }: { readonly from: readonly ReleaseProcess[]; readonly to: Release },
  scene: Scene,
  evidence: Record<string, string | undefined>,
): Promise<Deploy> {
  const { calmMs, overlapMs, drainingSeconds, balancer, clients, env, log, random, databaseUrl } = scene
  const phase = (step: string): void => {
    order(clients, { kind: 'phases', phases: [step === '' ? QUIET : `${name}: ${step}`] })
    if (step !== '') log(`${(performance.now() / 1_000).toFixed(1).padStart(6)} s  ${name}: ${step}`)
  }
  phase('')
  await sleep(calmMs)
  const before = await migrationsIn(databaseUrl)
  phase('migrations')
  await migrateTo(to, env)
  const after = await migrationsIn(databaseUrl)
  if (name === 'deploy') evidence['a migration ran'] = after > before ? `${after - before} of ${after}` : undefined
  phase('the new start')
  const fresh = await startAll(to, scene)
  phase('both serve')
  await lead(balancer, [...from, ...fresh])
  order(clients, { kind: 'ports', ports: portsOf([...from, ...fresh]) })
  await sleep(overlapMs)
  evidence[`${name}: two storage formats in Redis`] = await formatsIn(env['REDIS_URL'] ?? '', scene.releases)
  phase('SIGTERM to the old')
  order(clients, { kind: 'ports', ports: portsOf(fresh) })
  const lagMs = from.map(() => Math.round(random.next() * LAG_PART * servedOf(drainingSeconds)))
  const ends = await Promise.all([
    ...from.map((replica) => replica.stop()),
    leaveOneByOne(balancer, { from, fresh, lagMs }),
  ])
  await sleep(calmMs)
  phase('')
  return { name, lagMs, ends: ends.filter((end) => typeof end === 'object') }
}

/** The balancer forgets each old replica after its lag. */
async function leaveOneByOne(
  balancer: ChildProcess,
  {
    from,
    fresh,
    lagMs,
  }: {
    readonly from: readonly ReleaseProcess[]
    readonly fresh: readonly ReleaseProcess[]
    readonly lagMs: readonly number[]
  },
): Promise<void> {
  const staying = new Set(from)
  await Promise.all(
    from.map(async (replica, n) => {
      await sleep(lagMs[n])
      staying.delete(replica)
      await lead(balancer, [...staying, ...fresh])
    }),
  )
}

function servedOf(drainingSeconds: number): number {
  return Math.min(drainingSeconds * 1_000 * SERVED_PART, LONGEST_SERVED_MS)
}

async function startAll(release: Release, { env, started }: Scene): Promise<ReleaseProcess[]> {
  const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => ReleaseProcess.start(release, env)))
  started.push(...replicas)
  return replicas
}

async function lead(balancer: ChildProcess, replicas: readonly ReleaseProcess[]): Promise<void> {
  const done = heard<BalancerNews, 'targets'>(balancer, 'targets')
  balancer.send({ kind: 'targets', ports: portsOf(replicas) } satisfies BalancerOrder)
  await done
}

function portsOf(replicas: readonly ReleaseProcess[]): number[] {
  return replicas.map(({ port }) => port)
}

async function migrationsIn(url: string): Promise<number> {
  const [row] = await runSql<{ count: number }>(url, 'select count(*)::integer as count from roundhouse_migrations')
  return row?.count ?? 0
}

/** How many keys there are of each format; `undefined` unless both have some. */
async function formatsIn(
  url: string,
  { current, next }: { readonly current: Release; readonly next: Release },
): Promise<string | undefined> {
  const redis = new Redis(url)
  try {
    const keys = await redis.keys('*')
    const counts = [current, next].map(({ format }) => keys.filter((key) => key.includes(`:${format}:`)).length)
    if (counts.some((count) => count === 0) || current.format === next.format) return undefined
    return `${counts[0]} keys of format ${current.format}, ${counts[1]} of ${next.format}`
  } finally {
    redis.disconnect()
  }
}

function order(clients: ChildProcess, message: ClientOrder): void {
  clients.send(message)
}

function heard<News extends { readonly kind: string }, Kind extends News['kind']>(
  child: ChildProcess,
  kind: Kind,
): Promise<Extract<News, { kind: Kind }>> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new Error(`A process of the drill ended before it said ${kind}`))
    const hear = (news: News): void => {
      if (news.kind !== kind) return
      child.off('message', hear)
      child.off('exit', fail)
      resolve(news as Extract<News, { kind: Kind }>)
    }
    child.on('message', hear)
    child.once('exit', fail)
  })
}
