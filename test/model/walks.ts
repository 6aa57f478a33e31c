import { Seeded } from '../helpers/seeded.js'
import { nameOf, stepsOf, take } from './steps.js'
import { type Plan, World } from './world.js'

export interface Broken {
  readonly why: string
  /** The steps that lead there, as numbers. */
  readonly path: readonly number[]
}

export interface Walked {
  readonly walks: number
  readonly steps: number
  readonly broken: Broken | undefined
}

export interface WalkLimits {
  readonly walks: number
  readonly depth: number
  readonly seed: number
  /** The number of the first. */
  readonly firstWalk?: number
}

/** Random walks from the beginning, until one meets a stale answer. Walk n of a seed is the same whatever came before. */
export function walk(plan: Plan, limits: WalkLimits): Walked {
  const enabled: number[] = []
  const { firstWalk: first = 0 } = limits
  let steps = 0
  for (let n = 0; n < limits.walks; n++) {
    const random = new Seeded(limits.seed * 1_000_003 + first + n)
    const world = new World(plan)
    const path: number[] = []
    for (let depth = 0; depth < limits.depth; depth++) {
      stepsOf(world, enabled)
      if (enabled.length === 0) break
      const code = enabled[random.below(enabled.length)] ?? 0
      path.push(code)
      go(world, code)
      if (world.broken !== undefined)
        return { walks: n + 1, steps: steps + path.length, broken: { why: world.broken, path } }
    }
    steps += path.length
  }
  return { walks: limits.walks, steps, broken: undefined }
}

/** What throws is as bad as a stale answer. */
export function go(world: World, code: number): void {
  try {
    take(world, code)
    world.check()
  } catch (error) {
    world.broken ??= `threw ${String(error)}`
  }
}

/** Follows a path, leaving out what can't happen; `undefined` when no answer is stale. */
export function follow(plan: Plan, path: readonly number[]): Broken | undefined {
  const world = new World(plan)
  const enabled: number[] = []
  const taken: number[] = []
  for (const code of path) {
    stepsOf(world, enabled)
    if (!enabled.includes(code)) continue
    taken.push(code)
    go(world, code)
    if (world.broken !== undefined) return { why: world.broken, path: taken }
  }
  return undefined
}

/** A path from which no piece can be left out. */
export function shortened(plan: Plan, broken: Broken): Broken {
  let best = broken
  for (let size = Math.ceil(best.path.length / 2); size >= 1;) {
    let hasShrunk = false
    for (let at = 0; at < best.path.length;) {
      const shorter = follow(plan, [...best.path.slice(0, at), ...best.path.slice(at + size)])
      if (shorter !== undefined && shorter.path.length < best.path.length) {
        best = shorter
        hasShrunk = true
      } else at += size
    }
    if (size > 1) size = Math.floor(size / 2)
    else if (!hasShrunk) break
  }
  return best
}

export function pathText({ path }: Broken): string {
  return path.map(nameOf).join(' > ')
}
