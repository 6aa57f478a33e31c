import { setImmediate } from 'node:timers/promises'

const LONGEST_TURN_MS = 10

/** What one turn gave: figures by name, such as `rate` in operations per second. */
export type Sample = Readonly<Record<string, number>>

/** One thing that is compared, in a process of its own: its turns by the name of the case, each about `ms` long. */
export interface Contender {
  readonly turns: Readonly<Record<string, (ms: number) => Promise<Sample>>>
  close(): Promise<void>
}

export type Parameters = Readonly<Record<string, string | number | boolean>>

export type OpenContender = (parameters: Parameters) => Promise<Contender>

/** What a module of contenders exports as `contenders`. */
export type Contenders = Readonly<Record<string, OpenContender>>

/**
 * Calls `work` until the time is over; each call does `size` operations. `rate` is operations per second, `cpu` the
 * microseconds of processor time one took in this process: the steadier of the two while others are at work.
 */
export async function rateOf(ms: number, size: number, work: () => Promise<unknown>): Promise<Sample> {
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  const endsAt = startedAt + ms
  let operations = 0
  let turnAt = startedAt
  for (let now = startedAt; now < endsAt; now = performance.now()) {
    await work()
    operations += size
    // Work that never waits would keep the timers of a contender from running, which no server does.
    if (now - turnAt < LONGEST_TURN_MS) continue
    await setImmediate()
    turnAt = now
  }
  const seconds = (performance.now() - startedAt) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  return { operations, rate: operations / seconds, cpu: (user + system) / operations }
}
