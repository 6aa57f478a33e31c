import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { until } from '../helpers/deadline.js'
import type { ClientNews, ClientOrder, ClientReport } from './clients.js'
import { type Fault, faults } from './faults.js'
import { QUIET } from './ledger.js'
import { planRounds, type Round } from './plan.js'
import { Seeded } from '../helpers/seeded.js'
import { ADMIN_TOKEN, plainServers, type Servers, Stage, type UnexpectedExit } from './stage.js'
import { TYPESCRIPT } from '../helpers/typescript.js'
import type { VerifierCounts } from '../../services/cache/verifier.js'

const REPLICAS = 3
/** The long drill keeps two cores busy; the short one shares them with other tests. */
const WORKERS_PER_REPLICA = { long: 12, short: 4 }
const RECOVERY_POLL_MS = 25
/** Without a fault, at the start of the long drill. */
const WARM_UP_MS = 10_000
const CLIENTS = fileURLToPath(new URL('clients.ts', import.meta.url))

export interface DrillOptions {
  readonly seed: number
  /** How long faults go on; the short drill takes what one pass over all faults takes, about a minute. */
  readonly minutes: number | 'short'
  readonly boundMs: number
  /** Everybody follows the journal and uses Redis again this long after a fault is over, or the drill has failed. */
  readonly recoveryLimitMs: number
  readonly log: (line: string) => void
  /** Clients of each replica; {@link WORKERS_PER_REPLICA} by default. */
  readonly workersPerReplica?: number
  /** Faults that do not happen. */
  readonly without?: readonly string[]
  /** A replica that no fault kills. */
  readonly spared?: number
  /** Other servers than {@link plainServers}, and what happens to them in place of all other faults. */
  readonly engine?: Engine
  /** Begins when the faults do; what it returns ends it. */
  readonly watch?: (stage: Stage) => () => Promise<void>
}

export interface Engine {
  readonly start: () => Promise<Servers>
  readonly faults: Readonly<Record<string, Fault>>
  readonly rounds: readonly Round[]
}

/** One fault as it happened. */
export interface Happening {
  readonly fault: string
  readonly victim: number
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** What proves it; `undefined` when it did not happen. */
  readonly evidence: string | undefined
  /** Why it did not happen. */
  readonly failure: string | undefined
  /** From its end (and that of those beside it) until every replica was well; `undefined` when that took too long. */
  readonly recoveryMs: number | undefined
}

export interface DrillReport {
  readonly happenings: readonly Happening[]
  readonly unexpectedExits: readonly UnexpectedExit[]
  readonly clients: ClientReport
  /** What the verifiers of all replicas found. */
  readonly verified: VerifierCounts
}

/** Starts everything, lets the faults of the plan happen under load, and reports. Ends every process it started. */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const { seed, minutes, boundMs, log, recoveryLimitMs, without, spared } = options
  const isShort = minutes === 'short'
  const { engine = { start: plainServers, faults, rounds: undefined } } = options
  const stage = await Stage.open({ replicas: REPLICAS, boundMs, servers: await engine.start() })
  const clients = fork(CLIENTS, { execArgv: [TYPESCRIPT] })
  try {
    const workersPerReplica = options.workersPerReplica ?? WORKERS_PER_REPLICA[isShort ? 'short' : 'long']
    const ports = stage.replicas.map(({ port }) => port)
    const common = { adminToken: ADMIN_TOKEN, databaseUrl: stage.databaseUrl, workersPerReplica }
    order(clients, { kind: 'start', options: { ...common, ports, seed, boundMs } })
    await heard(clients, 'ready')
    await sleep(isShort ? 1_000 : WARM_UP_MS)
    const random = new Seeded(seed)
    const rounds = engine.rounds ?? planRounds({ random, replicas: REPLICAS, isShort, without, spared })
    const endAt = performance.now() + (isShort ? Number.POSITIVE_INFINITY : minutes * 60_000 - WARM_UP_MS)
    const scale = isShort ? 0.35 : 1
    const surroundings = { stage, clients, random, recoveryLimitMs, scale, faults: engine.faults }
    const show = progress(clients, log)
    const happenings: Happening[] = []
    const endWatch = options.watch?.(stage)
    for (const round of rounds) {
      if (performance.now() >= endAt) break
      await sleep(round.pauseMs)
      happenings.push(...(await runRound(round, surroundings)))
      for (const happening of happenings.slice(-round.faults.length)) log(describe(happening, show()))
    }
    await endWatch?.()
    await sleep(2 * boundMs)
    order(clients, { kind: 'stop' })
    const { result } = await heard(clients, 'result')
    return { happenings, unexpectedExits: stage.unexpectedExits, clients: result, verified: stage.verified }
  } finally {
    clients.kill('SIGKILL')
    await stage.close()
  }
}

interface Surroundings {
  readonly stage: Stage
  readonly clients: ChildProcess
  readonly random: Seeded
  readonly recoveryLimitMs: number
  readonly scale: number
  readonly faults: Readonly<Record<string, Fault>>
}

async function runRound(
  { faults: names, victim }: Round,
  { stage, clients, random, recoveryLimitMs, scale, faults }: Surroundings,
): Promise<Happening[]> {
  order(clients, { kind: 'phases', phases: names })
  const happened = await Promise.all(
    names.map(async (fault) => {
      const startedAtMs = performance.now()
      const outcome = await faults[fault]?.({ stage, random, victim, scale }).then(
        (evidence) => ({ evidence, failure: undefined }),
        (error: unknown) => ({ evidence: undefined, failure: String(error) }),
      )
      return {
        evidence: undefined,
        failure: 'no such fault',
        ...outcome,
        fault,
        victim,
        startedAtMs,
        endedAtMs: performance.now(),
      }
    }),
  )
  const overAt = performance.now()
  const waiting = { describe: 'every replica is well', timeoutMs: recoveryLimitMs, intervalMs: RECOVERY_POLL_MS }
  const recoveryMs = await until(() => stage.areWell(), waiting).then(
    () => performance.now() - overAt,
    () => undefined,
  )
  order(clients, { kind: 'phases', phases: [QUIET] })
  return happened.map((happening) => ({ ...happening, recoveryMs }))
}

function order(clients: ChildProcess, message: ClientOrder): void {
  clients.send(message)
}

function heard<Kind extends ClientNews['kind']>(
  clients: ChildProcess,
  kind: Kind,
): Promise<Extract<ClientNews, { kind: Kind }>> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clients.off('message', hear)
      clients.off('exit', fail)
    }
    const hear = (news: ClientNews): void => {
      if (!isOfKind(news, kind)) return
      done()
      resolve(news)
    }
    const fail = (): void => {
      done()
      reject(new Error('The clients ended early'))
    }
    clients.on('message', hear)
    clients.on('exit', fail)
  })
}

function isOfKind<Kind extends ClientNews['kind']>(
  news: ClientNews,
  kind: Kind,
): news is Extract<ClientNews, { kind: Kind }> {
  return news.kind === kind
}

/** The latest progress in words. */
function progress(clients: ChildProcess, log: (line: string) => void): () => string {
  let line = ''
  let known = 0
  clients.on('message', (news: ClientNews) => {
    if (news.kind !== 'progress') return
    line = `${news.operations} operations`
    if (news.violations > known) log(`!! ${news.violations} violations so far`)
    known = news.violations
  })
  return () => line
}

function describe(happening: Happening, done: string): string {
  const { fault, victim, startedAtMs, endedAtMs, evidence, failure, recoveryMs } = happening
  const took = `${((endedAtMs - startedAtMs) / 1_000).toFixed(1)} s`
  const recovery = recoveryMs === undefined ? 'NOT well in time' : `well after ${Math.round(recoveryMs)} ms`
  const at = `${(startedAtMs / 1_000).toFixed(1)} s`
  return `${at.padStart(8)}  ${fault} (replica ${victim}) ${took}; ${evidence ?? `DID NOT HAPPEN: ${failure}`}; ${recovery}; ${done}`
}
