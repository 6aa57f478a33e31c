import { faults, replicaFaults, serverFaults } from './faults.js'
import type { Seeded } from '../helpers/seeded.js'

/** Faults that happen at the same time, and the replica that they hit if they hit one. */
export interface Round {
  readonly faults: readonly string[]
  readonly victim: number
  /** Quiet time before it, in ms. */
  readonly pauseMs: number
}

export interface PlanOptions {
  readonly random: Seeded
  readonly replicas: number
  readonly isShort: boolean
  /** Faults that do not happen. */
  readonly without?: readonly string[] | undefined
  /** A replica that no fault kills. */
  readonly spared?: number | undefined
}

/** Pairs planned after every fault has had a round of its own; more than fit into any time that is asked for. */
const PAIRS = 1_000

/**
 * Every fault alone, in random order; then one of the servers' together with one of a replica's, again and again. The
 * short drill has the pairs only, and each fault in them at least once.
 */
export function planRounds({ random, replicas, isShort, without = [], spared }: PlanOptions): Round[] {
  const round = (names: readonly string[]): Round => {
    const victim = random.below(replicas)
    const isSpared = victim === spared && names.some((name) => name.startsWith('replica killed'))
    return {
      faults: names,
      victim: isSpared ? (victim + 1) % replicas : victim,
      pauseMs: isShort ? random.between(200, 500) : random.between(1_000, 3_000),
    }
  }
  const namesOf = (some: object): string[] => Object.keys(some).filter((name) => !without.includes(name))
  const alone = random.shuffled(namesOf(faults)).map((name) => round([name]))
  const pairs: Round[] = []
  const [servers, own] = [namesOf(serverFaults), namesOf(replicaFaults)]
  const each = Math.max(servers.length, own.length)
  while (pairs.length < (isShort ? each : PAIRS)) {
    const [some, others] = [random.shuffled(servers), random.shuffled(own)]
    for (let n = 0; n < each; n++) {
      pairs.push(round([some[n % some.length] ?? '', others[n % others.length] ?? '']))
    }
  }
  return isShort ? pairs : [...alone, ...pairs]
}
