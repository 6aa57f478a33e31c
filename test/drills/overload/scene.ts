import { setTimeout as sleep } from 'node:timers/promises'
import type { Load, LoadResult, StreamResult, Times } from './load.js'
import {
  type CoreUse,
  CoreWatch,
  epochNow,
  HIT_LIMIT_MS,
  MemoryWatch,
  MISS_LIMIT_MS,
  type OverloadStage,
  secondsUntilNormal,
} from './stage.js'

/** One figure, and what was promised of it. */
export interface Promised {
  readonly what: string
  readonly limit: string
  readonly measured: string
  readonly isHeld: boolean
}

export interface SceneResult {
  readonly promises: readonly Promised[]
  /** What else is worth to know, in words. */
  readonly notes: readonly string[]
  /** How late the generator that measured was, p99 in ms. */
  readonly lateMs: number
  readonly core: CoreUse
}

export interface Scene {
  readonly name: string
  run(stage: OverloadStage): Promise<SceneResult>
}

/** Of a container of 1 GiB, which the deployment has. */
const MEMORY_LIMIT_MB = 700
const NORMAL_LIMIT_SECONDS = 5
/** A little more than the limit, so that not coming back is seen. */
const AFTER_MS = 7_000
const WARM_MS = 2_000
/** In the short form. */
const [SHORT_AFTER_MS, SHORT_WARM_MS] = [1_500, 300]

/** While the everyday load runs: warm, then the trouble, then what is left of it. */
export interface Ordeal {
  readonly day: LoadResult
  /** Of the phase of the trouble. */
  readonly hits: StreamResult
  readonly misses: StreamResult
  readonly writes: StreamResult
  readonly mostMB: number
  readonly core: CoreUse
  readonly secondsUntilNormal: number
}

/**
 * The everyday load while `trouble` lasts, and for a while after it. `trouble` resolves once it is over.
 * @param hitShare of the highest rate of hits
 */
export async function ordeal(stage: OverloadStage, hitShare: number, trouble: () => Promise<unknown>): Promise<Ordeal> {
  const load = await stage.everyday(hitShare)
  await load.go('warm')
  await sleep(stage.options.isShort ? SHORT_WARM_MS : WARM_MS)
  const memory = new MemoryWatch(stage.service.pid)
  await load.phase('trouble')
  const core = new CoreWatch(stage.service.pid)
  await trouble()
  const used = core.end()
  const overAt = epochNow()
  await load.phase('after')
  await sleep(stage.options.isShort ? SHORT_AFTER_MS : AFTER_MS)
  const day = await load.stop()
  const stream = (name: string): StreamResult => streamOf(day, 'trouble', name)
  return {
    day,
    hits: stream('hits'),
    misses: stream('misses'),
    writes: stream('writes'),
    mostMB: memory.end(),
    core: used,
    secondsUntilNormal: secondsUntilNormal(day, overAt),
  }
}

/** What holds in all scenes: hits go on, memory is bounded, refusals say when to come again, and it is over soon. */
export function everydayPromises({ hits, misses, writes, mostMB, secondsUntilNormal }: Ordeal): Promised[] {
  return [
    atMost('hits answered, p99', hits.answered.p99, HIT_LIMIT_MS, 'ms'),
    exactly('hits without an answer of 2xx', notDone(hits), 0),
    exactly('refused without Retry-After', hits.unguided + misses.unguided + writes.unguided, 0),
    atMost('resident memory, most', mostMB, MEMORY_LIMIT_MB, 'MB'),
    atMost('normal again after', secondsUntilNormal, NORMAL_LIMIT_SECONDS, 's'),
  ]
}

/** What waits is answered within a second, or was refused by then. */
export function boundedWait(name: string, { answered, refused }: StreamResult): Promised[] {
  return [
    ...(answered.count === 0 ? [] : [atMost(`${name}: answered ones, p99`, answered.p99, MISS_LIMIT_MS, 'ms')]),
    ...(refused.count === 0 ? [] : [atMost(`${name}: refused ones, p99`, refused.p99, MISS_LIMIT_MS, 'ms')]),
  ]
}

export function resultOf(ordeal: Ordeal, promises: readonly Promised[], notes: readonly string[] = []): SceneResult {
  const { hits, misses, writes, core } = ordeal
  const shown = [`hits: ${counts(hits)}`, `others' misses: ${counts(misses)}`, `others' writes: ${counts(writes)}`]
  return {
    promises: [...promises, ...everydayPromises(ordeal)],
    notes: [...notes, ...shown],
    lateMs: hits.late.p99,
    core,
  }
}

export function atMost(what: string, measured: number, limit: number, unit: string): Promised {
  return {
    what,
    limit: `≤ ${round(limit)} ${unit}`,
    measured: `${Number.isFinite(measured) ? round(measured) : 'never'} ${unit}`,
    isHeld: measured <= limit,
  }
}

export function exactly(what: string, measured: number, expected: number): Promised {
  return { what, limit: `= ${expected}`, measured: String(measured), isHeld: measured === expected }
}

/** Failed, or answered with anything but 2xx. */
export function notDone({ statuses, failures }: StreamResult): number {
  const refused = Object.entries(statuses).filter(([status]) => !status.startsWith('2'))
  return [...refused, ...Object.entries(failures)].reduce((sum, [, count]) => sum + count, 0)
}

/** Neither a status nor a reset: every request has an answer. */
export function failuresOf({ failures }: StreamResult): number {
  return Object.values(failures).reduce((sum, count) => sum + count, 0)
}

/** `n` of each answer, and how long they took. */
export function counts({ seconds, sent, leftOut, statuses, failures, answered, refused, own }: StreamResult): string {
  const parts = Object.entries({ ...statuses, ...failures }).map(([name, count]) => `${name} × ${count}`)
  const times = (name: string, { count, p50, p99, max }: Times): string =>
    count === 0 ? '' : `; ${name} p50 ${round(p50)}, p99 ${round(p99)}, max ${round(max)} ms`
  const rate = `${Math.round((sent + leftOut) / seconds)}/s`
  const left = leftOut === 0 ? '' : `, ${leftOut} left out`
  return `${rate}: ${parts.join(', ')}${left}${times('answered', answered)}${times('refused', refused)}${times('in the service', own)}`
}

export function streamOf({ phases }: LoadResult, phase: string, name: string): StreamResult {
  const found = phases[phase]?.[name]
  if (found === undefined) throw new Error(`There is no ${name} in ${phase}`)
  return found
}

/** Runs a load of its own for the seconds of the stage. */
export async function during(stage: OverloadStage, load: Load): Promise<LoadResult> {
  await load.go('trouble')
  await sleep(stage.options.seconds * 1_000)
  return load.stop()
}

export function round(number: number): string {
  return number >= 100 ? String(Math.round(number)) : String(Math.round(number * 10) / 10)
}
