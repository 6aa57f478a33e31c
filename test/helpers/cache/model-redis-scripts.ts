import { BEGIN, FILL, FILLED, RAISE, RELEASE, type Script, VOUCH } from '../../../services/cache/redis-scripts.js'

/** What a script may do to the keys of a model Redis. */
export interface Keyspace {
  get(key: string): string | null
  set(key: string, value: string, lifetimeMs: number): void
  delete(key: string): void
  expire(key: string, lifetimeMs: number): void
  /** -2 for an absent key. */
  leftMs(key: string): number
  /** The server's own wall clock, in whole ms. */
  timeMs(): number
}

export type Reply = string | number | null | Reply[]
type ScriptModel = (keyspace: Keyspace, keys: readonly string[], values: readonly string[]) => Reply

/** The version in front of a tag's incarnation. */
function versionOf(held: string): number {
  return Number(/^\d+/.exec(held)?.[0])
}

const raise: ScriptModel = (keyspace, keys, [lifetimeMs = '', incarnation = '', ...versions]) => {
  let raised = 0
  keys.forEach((key, at) => {
    const held = keyspace.get(key)
    const version = versions[at] ?? ''
    if (held !== null && versionOf(held) >= Number(version)) return
    keyspace.set(key, `${version}:${incarnation}`, Number(lifetimeMs))
    raised += 1
  })
  return raised
}

const begin: ScriptModel = (keyspace, keys, values) => {
  const [leases, leaseMs, lifetimeMs, incarnation = '', ...rest] = values
  const heard = rest.slice(2 * Number(leases))
  const reply: Reply[] = []
  keys.slice(0, Number(leases)).forEach((key, at) => {
    const [leaseId = '', supersededId = ''] = rest.slice(2 * at)
    const holder = keyspace.get(key)
    const isTaken = holder === null || holder === FILLED || (supersededId !== '' && holder === supersededId)
    if (isTaken) keyspace.set(key, leaseId, Number(leaseMs))
    reply.push(isTaken ? (holder === FILLED ? 2 : 1) : 0)
  })
  keys.slice(Number(leases)).forEach((key, at) => {
    let held = keyspace.get(key)
    keyspace.expire(key, Number(lifetimeMs))
    const version = heard[at] ?? ''
    if (held === null || versionOf(held) < Number(version)) {
      held = `${version}:${incarnation}`
      keyspace.set(key, held, Number(lifetimeMs))
    }
    reply.push(held)
  })
  return reply
}

const fill: ScriptModel = (keyspace, keys, values) => {
  const entries = Number(values[0])
  const tags = keys.slice(2 * entries)
  const isEqual = tags.map((key, at) => keyspace.get(key) === values[2 + at])
  return keys.slice(0, entries).map((key, n) => {
    const [value = '', lifetimeMs, leaseId, numbers = ''] = values.slice(2 + tags.length + 4 * n)
    const isAccepted = (numbers.match(/\d+/g) ?? []).every((number) => isEqual[Number(number) - 1])
    if (isAccepted) keyspace.set(key, value, Number(lifetimeMs))
    const lease = keys[entries + n] ?? ''
    if (keyspace.get(lease) === leaseId) {
      if (isAccepted) keyspace.set(lease, FILLED, Number(values[1]))
      else keyspace.delete(lease)
    }
    return isAccepted ? 1 : 0
  })
}

const release: ScriptModel = (keyspace, [key = ''], [leaseId]) => {
  if (keyspace.get(key) !== leaseId) return 0
  keyspace.delete(key)
  return 1
}

const vouch: ScriptModel = (keyspace, [key = ''], [clearVersion = '', validUntil]) => {
  const leftMs = Number(validUntil) - keyspace.timeMs()
  if (leftMs > 0 && keyspace.leftMs(key) < leftMs) keyspace.set(key, clearVersion, leftMs)
  return keyspace.timeMs()
}

export interface ModelScript {
  readonly name: 'RAISE' | 'BEGIN' | 'FILL' | 'RELEASE' | 'VOUCH'
  readonly script: Script
  readonly run: ScriptModel
}

const MODELS: readonly ModelScript[] = [
  { name: 'RAISE', script: RAISE, run: raise },
  { name: 'BEGIN', script: BEGIN, run: begin },
  { name: 'FILL', script: FILL, run: fill },
  { name: 'RELEASE', script: RELEASE, run: release },
  { name: 'VOUCH', script: VOUCH, run: vouch },
]

/** What the engine's Lua does, in TypeScript, by the script's SHA-1; test/services/cache/conformance compares the two. */
export const MODEL_SCRIPTS: ReadonlyMap<string, ModelScript> = new Map(MODELS.map((model) => [model.script.sha, model]))
