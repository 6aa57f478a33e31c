import { BEGIN, FILL, RAISE, RELEASE, type Script, VOUCH } from '../../../services/cache/redis-scripts.js'

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
  const [count, leaseMs, lifetimeMs, incarnation = '', ...rest] = values
  const loads = Number(count)
  const heard = rest.slice(3 * loads)
  const looked = keys.slice(0, loads).map((key) => keyspace.get(key))
  const stamps = keys.slice(2 * loads).map((key, at) => {
    const held = keyspace.get(key)
    const version = heard[at] ?? ''
    if (held !== null && versionOf(held) >= Number(version)) {
      keyspace.expire(key, Number(lifetimeMs))
      return held
    }
    const stamp = `${version}:${incarnation}`
    keyspace.set(key, stamp, Number(lifetimeMs))
    return stamp
  })
  const isValid = (entry: string, wanted: string): boolean => {
    const [freshAfter, ...numbers] = wanted.split(' ')
    const [, freshUntil, , , ...its] = (entry.split('\n')[0] ?? '').split(' ')
    const current = numbers.map((number) => stamps[Number(number) - 1])
    return freshAfter !== '-1' && its.join(' ') === current.join(' ') && Number(freshUntil) > Number(freshAfter)
  }
  const takesLease = (key: string, leaseId: string, supersededId: string): boolean => {
    const holder = keyspace.get(key)
    const isFree = holder === null || (supersededId !== '' && holder === supersededId)
    if (leaseId !== '' && isFree) keyspace.set(key, leaseId, Number(leaseMs))
    return leaseId === '' || isFree
  }
  const answers = looked.map((entry, at): Reply => {
    const [leaseId = '', supersededId = '', wanted = ''] = rest.slice(3 * at)
    if (entry !== null && isValid(entry, wanted)) return entry
    return takesLease(keys[loads + at] ?? '', leaseId, supersededId) ? 1 : 0
  })
  return [...answers, ...stamps]
}

const fill: ScriptModel = (keyspace, keys, values) => {
  const entries = Number(values[0])
  const tags = keys.slice(2 * entries)
  const isEqual = tags.map((key, at) => keyspace.get(key) === values[1 + at])
  const leased = keys.slice(entries, 2 * entries).map((key) => keyspace.get(key))
  const reply = keys.slice(0, entries).map((key, n) => {
    const [value = '', lifetimeMs, , numbers = ''] = values.slice(1 + tags.length + 4 * n)
    const isAccepted = (numbers.match(/\d+/g) ?? []).every((number) => isEqual[Number(number) - 1])
    if (isAccepted) keyspace.set(key, value, Number(lifetimeMs))
    return isAccepted ? 1 : 0
  })
  leased.forEach((holder, n) => {
    if (holder === values[1 + tags.length + 4 * n + 2]) keyspace.delete(keys[entries + n] ?? '')
  })
  return reply
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
