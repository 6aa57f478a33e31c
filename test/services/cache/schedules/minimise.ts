import fc from 'fast-check'
import { BrokenPromise, runSchedule } from './explore.js'
import type { Step } from './steps.js'

/** Orders of the messages tried for each shorter list of steps. */
const ORDERS = 24
const JITTER_SEED = 1

/**
 * Looks for a shorter story than fast-check's: it keeps the order of the messages while it shrinks the steps, and a
 * shorter list usually needs another order. Always finds the same one for the same steps; `undefined` when no order tried breaks a promise.
 */
export async function minimise(steps: readonly Step[]): Promise<BrokenPromise | undefined> {
  let best = await breakWith(steps)
  if (best === undefined) return undefined
  let shortest = [...steps]
  for (let isShrinking = true; isShrinking;) {
    isShrinking = false
    for (const candidate of shorter(shortest)) {
      const broken = await breakWith(candidate)
      if (broken === undefined) continue
      ;[best, shortest, isShrinking] = [broken, candidate, true]
      break
    }
  }
  return best
}

function* shorter(steps: readonly Step[]): Generator<Step[]> {
  for (let at = 0; at < steps.length; at++) yield steps.toSpliced(at, 1)
  for (const [at, step] of steps.entries()) {
    if (step.arrivals > 0) yield steps.with(at, { ...step, arrivals: 0 })
  }
}

async function breakWith(steps: readonly Step[]): Promise<BrokenPromise | undefined> {
  for (let order = 1; order <= ORDERS; order++) {
    const [scheduler] = fc.sample(fc.scheduler(), { seed: order, numRuns: 1 })
    if (scheduler === undefined) continue
    try {
      await runSchedule(steps, scheduler, JITTER_SEED)
    } catch (error) {
      if (error instanceof BrokenPromise) return error
      throw error
    }
  }
  return undefined
}
