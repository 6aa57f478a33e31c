import type { Fault } from './faults.js'
import { beyondLimits } from './limits.js'
import { SEARCHED, WALKED } from './setups.js'
import { search } from './search.js'
import { pathText, shortened, walk } from './walks.js'
import { planOf } from './world.js'

export interface Found {
  readonly setup: string
  readonly walks: number
  readonly why: string
  /** The shortest that was found, in words. */
  readonly path: string
  readonly steps: number
}

export interface Limits {
  /** Of each set-up. */
  readonly walks: number
  readonly depth: number
  readonly seed: number
}

const FIRST_ROUND = 250
/** States of the smallest searches: those give the shortest path. */
const FEW_STATES = 5_000
/** A path that no search would make much shorter. */
const SHORT = 8

/** Looks for a stale answer: in every set-up a few walks, then ten times as many. What throws is found, too. */
export function hunt(limits: Limits, fault?: Fault): Found | undefined {
  let walks = 0
  for (let upTo = 0, from = 0; upTo < limits.walks; from = upTo) {
    upTo = Math.min(limits.walks, from === 0 ? FIRST_ROUND : 10 * from)
    for (const setup of WALKED) {
      const plan = planOf(setup, { fault, isSearch: false })
      const walked = walk(plan, { ...limits, walks: upTo - from, firstWalk: from })
      walks += walked.walks
      if (walked.broken === undefined) continue
      const broken = shortened(plan, walked.broken)
      const found = { setup: setup.name, walks, why: broken.why, path: pathText(broken), steps: broken.path.length }
      return broken.path.length <= SHORT ? found : { ...found, ...shorterFound(broken.path.length, fault) }
    }
    const why = from === 0 ? thrownOr(() => beyondLimits(limits.seed)) : undefined
    if (why !== undefined) return { setup: 'beyond limits', walks: 0, why, path: '', steps: 0 }
  }
  return undefined
}

function thrownOr(work: () => string | undefined): string | undefined {
  try {
    return work()
  } catch (error) {
    return `it throws: ${String(error)}`
  }
}

/** A search of all states finds the shortest path there is in its set-up. */
function shorterFound(steps: number, fault: Fault | undefined): Pick<Found, 'why' | 'path' | 'steps'> | undefined {
  let best: Pick<Found, 'why' | 'path' | 'steps'> | undefined
  for (const setup of SEARCHED.filter(({ isShort }) => isShort)) {
    const { broken } = search(planOf(setup, { fault, isSearch: true }), { most: FEW_STATES })
    if (broken === undefined || broken.path.length >= (best?.steps ?? steps)) continue
    best = { why: broken.why, path: `(${setup.name}) ${pathText(broken)}`, steps: broken.path.length }
  }
  return best
}
