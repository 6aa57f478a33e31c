import type { Fault } from '../faults.js'
import type { Round } from '../plan.js'

const PAUSE_MS = 1_000

/** Each fault alone, so many times, with each replica as the victim in turn. */
export function roundsOf(faults: Readonly<Record<string, Fault>>, times: number): Round[] {
  const names = Array.from({ length: times }, () => Object.keys(faults)).flat()
  return names.map((name, n) => ({ faults: [name], victim: n % 3, pauseMs: PAUSE_MS }))
}
