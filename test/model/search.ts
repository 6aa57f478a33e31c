import { createHash } from 'node:crypto'
import type { Snapshot } from '../../services/cache/core/snapshot.js'
import { stepsOf } from './steps.js'
import { type Broken, go } from './walks.js'
import { type Plan, World } from './world.js'

export interface Searched {
  readonly states: number
  readonly steps: number
  /** Every state that there is, within the set-up's budgets. */
  readonly isComplete: boolean
  readonly broken: Broken | undefined
}

/** Looks at every state, nearest first, so that a stale answer is found by a shortest path. */
export function search(plan: Plan, { most }: { readonly most: number }): Searched {
  const first = new World(plan)
  const known = new Set([keyOf(first)])
  const cameFrom: number[] = [-1]
  const cameBy: number[] = [0]
  const queue: (World | undefined)[] = [first]
  const enabled: number[] = []
  let steps = 0
  for (let at = 0; at < queue.length; at++) {
    const world = queue[at]
    if (world === undefined) continue
    // What has been looked at is not needed any more.
    queue[at] = undefined
    stepsOf(world, enabled)
    for (const code of enabled) {
      const next = new World(plan, world)
      go(next, code)
      steps += 1
      if (next.broken !== undefined) {
        const path = [code]
        for (let n = at; n > 0; n = cameFrom[n] ?? 0) path.unshift(cameBy[n] ?? 0)
        return { states: queue.length, steps, isComplete: false, broken: { why: next.broken, path } }
      }
      const key = keyOf(next)
      if (known.has(key)) continue
      known.add(key)
      queue.push(next)
      cameFrom.push(at)
      cameBy.push(code)
    }
    if (queue.length > most) return { states: queue.length, steps, isComplete: false, broken: undefined }
  }
  return { states: queue.length, steps, isComplete: true, broken: undefined }
}

/** Two worlds with one key have the same future. */
function keyOf(world: World): string {
  const { database, replicas, redis, saved, left, plan } = world
  const identities = new Set([database.identity, ...replicas.map(({ knowledge }) => knowledge.identity)])
  const stored = (copies: World['redis']): string =>
    copies
      .filter(({ identity }) => identities.has(identity))
      .map(({ identity, document, snapshot, value }) => `${identity}${document}${snapshot.text}=${value}`)
      .sort()
      .join()
  const snapshots = new Map<string, Snapshot>()
  const note = (snapshot: Snapshot | undefined): unknown => snapshot && snapshots.set(snapshot.text, snapshot)
  for (const copies of [redis, saved]) for (const { snapshot } of copies) note(snapshot)
  for (const { knowledge, memory, flights, tail } of replicas) {
    note(tail?.snapshot)
    note(knowledge.seen)
    for (const kept of memory) note(kept?.provenance.snapshot)
    for (const flight of flights) {
      note(flight.provenance?.snapshot)
      note(flight.stored?.snapshot)
    }
  }
  const all = [...snapshots.values()].sort((a, b) => (a.text < b.text ? -1 : 1))
  const slots = Array.from({ length: plan.setup.slots }, (_, slot) => slot)
  const parts = replicas.map((replica) => replica.key(all, slots, plan.tags))
  parts.push(database.key, stored(redis), stored(saved), Object.values(left).join())
  return createHash('md5').update(parts.join('\n')).digest('base64')
}
