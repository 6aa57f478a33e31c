import { Histogram, type Summary } from './histogram.js'
import type { HttpAnswer } from '../helpers/http-connection.js'

/** An answer that breaks the promise, with all that is needed to look for its cause. */
export interface Violation {
  readonly kind: string
  readonly replica: number
  readonly request: string
  readonly during: string
  readonly begunAtMs: number
  readonly endedAtMs: number
  readonly replicaState: string
  readonly cacheStatus: string
  readonly staleMs: number
  readonly detail: string
}

/** What happened under one phase: a fault with its recovery, or the quiet in between. */
export interface PhaseCounts {
  operations: number
  behind: number
  largestStalenessMs: number
  largestLatencyMs: number
  errors: Record<string, number>
}

export interface LedgerReport {
  readonly operations: number
  readonly operationsByKind: Readonly<Record<string, number>>
  readonly answeredBy: Readonly<Record<string, number>>
  readonly states: Readonly<Record<string, number>>
  readonly quiet: Summary
  readonly faulty: Summary
  /** Reads that said that they were stale: the one excuse. */
  readonly admittedStale: Summary
  readonly auth: Summary
  readonly phases: Readonly<Record<string, PhaseCounts>>
  readonly violationCount: Readonly<Record<string, number>>
  readonly violations: readonly Violation[]
  /** The first requests that failed, each with all that was answered. */
  readonly failures: readonly string[]
}

const MOST_VIOLATIONS = 20
const MOST_FAILURES = 40
/** Of the statuses below 500 those that say no more than that the service could not. */
const REFUSALS = [408, 425, 429]

export const QUIET = 'no fault'

/** Counts everything, once. */
export class Ledger {
  /** What is going on now: names of faults, or {@link QUIET}. */
  phases: readonly string[] = [QUIET]
  operations = 0
  readonly #startedAt = performance.now()
  readonly #byKind: Record<string, number> = {}
  readonly #answeredBy: Record<string, number> = {}
  readonly #states: Record<string, number> = {}
  readonly #quiet = new Histogram()
  readonly #faulty = new Histogram()
  readonly #admitted = new Histogram()
  readonly #auth = new Histogram()
  readonly #phases: Record<string, PhaseCounts> = {}
  readonly #violationCount: Record<string, number> = {}
  readonly #violations: Violation[] = []
  readonly #failures: string[] = []

  /** A request that was answered, whatever the answer. `begunIn`: the phases when it was sent. */
  answered(kind: string, answer: HttpAnswer, begunIn: readonly string[]): void {
    this.operations += 1
    increment(this.#byKind, kind)
    const cacheStatus = answer.header('cache-status')
    if (cacheStatus !== '') increment(this.#answeredBy, sourceOf(cacheStatus))
    increment(this.#states, stateOf(answer).split(' ')[0] ?? '')
    const latency = answer.endedAt - answer.begunAt
    const hasFailed = answer.status >= 500 || REFUSALS.includes(answer.status)
    if (hasFailed) this.#keep(`${kind} ${answer.status}`, answer.text, begunIn)
    for (const phase of this.#phasesOf(begunIn)) {
      phase.operations += 1
      phase.largestLatencyMs = Math.max(phase.largestLatencyMs, latency)
      if (hasFailed) increment(phase.errors, `${kind} ${answer.status}`)
    }
  }

  /** A request without a whole answer; `detail` is kept with the first ones. */
  failed(kind: string, reason: string, begunIn: readonly string[], detail = ''): void {
    this.#keep(`${kind} ${reason}`, detail, begunIn)
    for (const phase of this.#phasesOf(begunIn)) increment(phase.errors, `${kind} ${reason}`)
  }

  /** How stale a read's answer was, in ms; `isAdmitted` when it said so. */
  judged(staleMs: number, isAdmitted: boolean, begunIn: readonly string[]): void {
    if (isAdmitted) return this.#admitted.add(staleMs)
    const phases = this.#overlapping(begunIn)
    const isQuiet = phases.every((name) => name === QUIET)
    ;(isQuiet ? this.#quiet : this.#faulty).add(staleMs)
    if (staleMs === 0) return
    for (const phase of this.#phasesOf(begunIn)) {
      phase.behind += 1
      phase.largestStalenessMs = Math.max(phase.largestStalenessMs, staleMs)
    }
  }

  /** How long after a revocation's acknowledgement a request was begun that was still accepted, in ms; 0 when none was. */
  judgedAuth(staleMs: number): void {
    this.#auth.add(staleMs)
  }

  violated(violation: Omit<Violation, 'during' | 'begunAtMs' | 'endedAtMs'>, answer: HttpAnswer): void {
    increment(this.#violationCount, violation.kind)
    if (this.#violations.length >= MOST_VIOLATIONS) return
    const at = (ms: number): number => Math.round(ms - this.#startedAt)
    const times = { begunAtMs: at(answer.begunAt), endedAtMs: at(answer.endedAt) }
    this.#violations.push({ ...violation, ...times, during: this.phases.join(' + ') })
  }

  report(): LedgerReport {
    return {
      operations: this.operations,
      operationsByKind: this.#byKind,
      answeredBy: this.#answeredBy,
      states: this.#states,
      quiet: this.#quiet.summary(),
      faulty: this.#faulty.summary(),
      admittedStale: this.#admitted.summary(),
      auth: this.#auth.summary(),
      phases: this.#phases,
      violationCount: this.#violationCount,
      violations: this.#violations,
      failures: this.#failures,
    }
  }

  #keep(what: string, detail: string, begunIn: readonly string[]): void {
    if (this.#failures.length >= MOST_FAILURES) return
    const at = Math.round(performance.now() - this.#startedAt)
    this.#failures.push(`${at} ms, ${this.#overlapping(begunIn).join(' + ')}: ${what} ${detail}`.trimEnd())
  }

  /** A request that spans two phases belongs to the one with a fault. */
  #overlapping(begunIn: readonly string[]): readonly string[] {
    return begunIn[0] === QUIET ? this.phases : begunIn
  }

  #phasesOf(begunIn: readonly string[]): PhaseCounts[] {
    return this.#overlapping(begunIn).map((name) => {
      const none = { operations: 0, behind: 0, largestStalenessMs: 0, largestLatencyMs: 0, errors: {} }
      return (this.#phases[name] ??= none)
    })
  }
}

export function increment(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}

/** `memory`, `redis`, `database` or what else Cache-Status names. */
/** The replica's state and process id when the request arrived there. */
export function stateOf(answer: HttpAnswer): string {
  return answer.header('x-drill-state')
}

function sourceOf(cacheStatus: string): string {
  const detail = /detail=([\w-]+)/.exec(cacheStatus)?.[1]
  if (detail !== undefined) return detail
  return cacheStatus.includes('collapsed') ? 'a shared load' : 'database'
}
