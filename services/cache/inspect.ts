import { decodeEntry } from './redis/entry-codec.js'
import type { EntryOptions } from './entry.js'
import type { Provenance } from './core/knowledge.js'
import { INVALID } from './redis/redis.js'
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
  return {
    key,
    /** How a read would be answered now, and why. */
    verdict: answerOf(replica, options, inMemory, inRedis),
    /** The snapshot of the last finished tail, which an entry is held against. */
    seen: replica.knowledge.seen?.text ?? null,
    memory: verdictOn(replica, inMemory),
    redis: verdictOn(replica, inRedis),
  }
}

/** One sentence, for who does not know the protocol. */
function answerOf(replica: Replica, options: EntryOptions, inMemory: Found | string, inRedis: Found | string): string {
  const { settings, follower, knowledge, clock } = replica
  if (!settings.isEnabled) return 'The database answers every read: the cache is switched off.'
  if (!follower.isFollowed(clock.now())) return whileIsolated(replica, options, inMemory)
  for (const [tier, found] of [
    ['Memory', inMemory],
    ['Redis', inRedis],
  ] as const) {
    if (typeof found === 'string' || !isServed(replica, found)) continue
    const doubt = knowledge.hints.has(found.tags)
      ? ', once the journal has been read again: it may have changed a moment ago'
      : ''
    const refresh = found.freshMs > 0 ? '' : ' while it is loaded anew, since its fresh time is over'
    const what = found.value === undefined ? '“no such row”, found' : 'a document that was loaded'
    return `${tier} answers with ${what} ${inSeconds(found.ageMs)} ago, which shows every change heard of${refresh}${doubt}.`
  }
  const held = [inMemory, inRedis].filter((found) => typeof found !== 'string')
  if (held.length === 0) return 'The database answers: no tier holds this.'
  const isOver = held.every(({ leftMs }) => leftMs <= 0)
  return isOver
    ? 'The database answers: what is held has outlived its time.'
    : 'The database answers: what is held does not show a change that was heard of since.'
}

/** The database, where it answers; else memory, for a limited time; else nobody. */
function whileIsolated(replica: Replica, options: EntryOptions, inMemory: Found | string): string {
  const { follower, reads } = replica
  const why = `this replica can't follow the journal (${follower.reason})`
  const leftMs = markedMs(replica, options, inMemory)
  const marked = leftMs > 0 ? `marked, for ${inSeconds(leftMs)} more` : undefined
  if (reads.isolation.isUnanswered) {
    if (marked !== undefined) return `Memory answers, ${marked}: the database does not answer, and ${why}.`
    return `The answer is 503: the database does not answer, ${why}, and memory holds nothing that it may answer with.`
  }
  const always = `The database answers every read: ${why}.`
  if (follower.isAnswering) return always
  return `${always} Where it does not answer, ${marked === undefined ? 'the answer is 503' : `memory does, ${marked}`}.`
}

/** For how long memory may answer with this while the database does not, in ms; 0 when it may not. */
function markedMs(replica: Replica, { mayServeOnError = true }: EntryOptions, found: Found | string): number {
  if (typeof found === 'string' || mayServeOnError === false || !isServed(replica, found)) return 0
  if (mayServeOnError === 'undoubted' && replica.knowledge.hints.has(found.tags)) return 0
  return Math.min(replica.reads.isolation.leftMs, found.leftMs)
}

function isServed({ knowledge }: Replica, { provenance, tags, leftMs }: Found): boolean {
  return leftMs > 0 && knowledge.isCurrent(provenance, knowledge.heard.slotsOf(tags))
}

function inSeconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
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
