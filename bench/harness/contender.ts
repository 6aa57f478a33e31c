import { setImmediate } from 'node:timers/promises'

const LONGEST_TURN_MS = 10

/** What one turn gave: figures by name, such as `rate` in operations per second. */
export type Sample = Readonly<Record<string, number>>

/** One thing that is compared, in a process of its own: its turns by the name of the case, each about `ms` long; some can be slowed down. */
export interface Contender {
  readonly turns: Readonly<Record<string, (ms: number, perSecond?: number) => Promise<Sample>>>
  close(): Promise<void>
}

export type Parameters = Readonly<Record<string, string | number | boolean>>

export type OpenContender = (parameters: Parameters) => Promise<Contender>

/** What a module of contenders exports as `contenders`. */
export type Contenders = Readonly<Record<string, OpenContender>>

/** Of a turn: goes by before it counts. Caches of the processor and compiled code are another contender's until then. */
const RUN_UP = 0.25

/**
 * Calls `work` until the time is over; each call does `size` operations. `rate` is operations per second, `cpu` the
 * microseconds of processor time one took in this process: the steadier of the two while others are at work.
 */
export async function rateOf(ms: number, size: number, work: () => Promise<unknown>): Promise<Sample> {
  await repeat(ms * RUN_UP, work)
  const cpuBefore = process.cpuUsage()
  const { calls, seconds } = await repeat(ms * (1 - RUN_UP), work)
  const { user, system } = process.cpuUsage(cpuBefore)
  const operations = calls * size
  return { operations, rate: operations / seconds, cpu: (user + system) / operations }
}

async function repeat(ms: number, work: () => Promise<unknown>): Promise<{ calls: number; seconds: number }> {
  const startedAt = performance.now()
  const endsAt = startedAt + ms
  let calls = 0
  let turnAt = startedAt
  do {
    await work()
    calls += 1
    // Work that never waits would keep the timers of a contender from running, which no server does.
    if (performance.now() - turnAt < LONGEST_TURN_MS) continue
    await setImmediate()
    turnAt = performance.now()
  } while (performance.now() < endsAt)
  return { calls, seconds: (performance.now() - startedAt) / 1_000 }
}
