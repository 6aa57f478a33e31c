import fc from 'fast-check'
import { type Step, anySteps } from './steps.js'
import { World } from './world.js'

/** Steps, an order for the messages, and a seed for the engine's jitter. */
const anySchedule = fc.tuple(anySteps, fc.scheduler(), fc.integer({ min: 1, max: 1_000_000 }))

export interface Exploration {
  readonly schedules: number
  readonly seed: number
  /** Where fast-check found the broken promise: replays it together with the seed. */
  readonly path: string | undefined
  readonly broken: { readonly steps: readonly Step[]; readonly error: unknown } | undefined
}

/** Runs schedules until one breaks a promise, and shrinks that one. `onSchedule` is told how many have run. */
export async function explore(options: {
  readonly schedules: number
  readonly seed: number
  readonly path?: string
  /** Stops early after so long, as if nothing more had been asked for. */
  readonly limitMs?: number
  readonly onSchedule?: (count: number) => void
}): Promise<Exploration> {
  let count = 0
  const property = fc.asyncProperty(anySchedule, async ([steps, scheduler, seed]) => {
    count += 1
    options.onSchedule?.(count)
    await runSchedule(steps, scheduler, seed)
  })
  const { seed, path = '', schedules: numRuns, limitMs: interruptAfterTimeLimit } = options
  const limit = interruptAfterTimeLimit === undefined ? {} : { interruptAfterTimeLimit }
  const result = await fc.check(property, { numRuns, seed, path, ...limit })
  const broken = result.counterexample && { steps: result.counterexample[0][0], error: result.errorInstance }
  return { schedules: count, seed, path: result.counterexamplePath ?? undefined, broken: broken ?? undefined }
}

/** Runs one schedule on three replicas of the real engine. Throws {@link BrokenPromise}. */
export async function runSchedule(steps: readonly Step[], scheduler: fc.Scheduler, seed: number): Promise<void> {
  const world = new World(scheduler, seed)
  await world.start()
  for (const step of steps) {
    world.tell(() => `── ${step.words}`)
    await step.run(world)
    await world.deliver(step.arrivals)
    if (world.ledger.broken.length > 0) break
  }
  if (world.ledger.broken.length === 0) await world.settle()
  for (const replica of world.replicas) replica.kill()
  if (world.ledger.broken.length > 0) throw new BrokenPromise(world.ledger.broken, steps, world.story())
}

/** What was promised and not kept, the steps that led there, and all that happened on the way, in words. */
export class BrokenPromise extends Error {
  constructor(broken: readonly string[], steps: readonly Step[], story: string) {
    const list = steps.map(({ words, arrivals }, n) => {
      const then =
        arrivals === 0 ? '' : arrivals === 1 ? '; then a message arrives' : `; then ${arrivals} messages arrive`
      return `${n + 1}. ${words}${then}`
    })
    super(
      `${broken.join('\n')}\n\nThe steps:\n${list.join('\n')}\n\nWhat happened (ms, and what arrived where):\n${story}`,
    )
  }
}
