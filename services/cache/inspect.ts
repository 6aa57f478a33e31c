import { decodeEntry } from './entry-codec.js'
import type { EntryOptions } from './entry.js'
import type { Provenance } from './core/knowledge.js'
import { INVALID } from './redis.js'
import type { Replica } from './replica.js'

/** An entry as one of the tiers holds it. Times in ms from now. */
interface Found {
  readonly provenance: Provenance
  readonly tags: readonly string[]
  readonly value: unknown
  readonly ageMs: number
  readonly freshMs: number
  readonly leftMs: number
}

export type Inspection = Awaited<ReturnType<typeof inspect>>

/** What each tier holds of one entry and whether it would be served, in words. Counts nothing, drops nothing. */
export async function inspect(replica: Replica, key: string, options: EntryOptions) {
  const [inMemory, inRedis] = [fromMemory(replica, key), await fromRedis(replica, key, options)]
  return { key, memory: verdictOn(replica, inMemory), redis: verdictOn(replica, inRedis) }
}

function fromMemory({ memory, clock }: Replica, key: string): Found | string {
  const [now, entry] = [clock.now(), memory.peek(key)]
  if (entry === undefined) return 'not in memory'
  return { ...entry, ageMs: now - entry.loadedAt, freshMs: entry.freshUntil - now, leftMs: entry.expiresAt - now }
}

async function fromRedis({ redis, codec, clock, knowledge }: Replica, key: string, { tags }: EntryOptions) {
  if (redis === undefined) return 'Redis is not in use'
  const identity = knowledge.identityNumber
  const text = !redis.breaker.isOpen ? await redis.get(key) : undefined
  if (text === undefined)
    return !redis.breaker.isOpen ? 'not in Redis' : `Redis does not answer: ${redis.breaker.reason}`
  const stored = text === INVALID ? undefined : decodeEntry(text, codec)
  if (stored === undefined) return 'not an entry: somebody else wrote this key'
  const ageMs = Math.max(0, clock.wallMs() - stored.loadedAt)
  const [freshMs, leftMs] = [stored.freshMs - ageMs, stored.lifetimeMs - ageMs]
  const provenance = { identity, snapshot: stored.snapshot }
  return { value: stored.value, provenance, tags: [...tags, ...stored.moreTags], ageMs, freshMs, leftMs }
}

function verdictOn({ knowledge, follower, clock }: Replica, found: Found | string) {
  if (typeof found === 'string') {
    const none = { age_ms: null, ttl_ms: null, negative: false, snapshot: null, tags: [] }
    return { present: false, state: 'absent', ...none, verdict: found }
  }
  const { heard, hints } = knowledge
  const { provenance, tags, leftMs, freshMs } = found
  const state = leftMs <= 0 ? 'expired' : freshMs > 0 ? 'fresh' : 'stale'
  const verdict = !follower.isFollowed(clock.now())
    ? `bypassed: the journal is not followed (${follower.reason})`
    : !knowledge.isCurrent(provenance, heard.slotsOf(tags))
      ? 'not served: something it shows has changed since, or what happened since is not known'
      : state === 'expired'
        ? 'not served: its lifetime is over'
        : `${hints.has(tags) ? 'in doubt until the next reading of the journal, then ' : ''}served (${state})`
  return {
    present: true,
    state,
    age_ms: Math.round(found.ageMs),
    ttl_ms: Math.round(freshMs),
    negative: found.value === undefined,
    /** What the database showed at the least when the entry was loaded: Postgres' text of a snapshot. */
    snapshot: provenance.snapshot.text,
    /** Per tag, the newest change heard of (or of another tag that shares its places), and whether the entry shows it. */
    tags: tags.map((tag) => {
      const slots = heard.slotsOf([tag])
      const shown = heard.isSatisfied(provenance.snapshot, slots)
      return { tag, last_change: heard.newest(slots), shown, in_doubt: hints.has([tag]) }
    }),
    verdict,
  }
}
