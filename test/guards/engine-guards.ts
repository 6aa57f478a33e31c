import type { Edit, Guard } from './guards.js'

const CACHE = 'services/cache/tiered-cache.ts'
const READ = 'services/cache/read-through.ts'
const FILLING = 'services/cache/filling.ts'
const FLIGHT = 'services/cache/single-flight.ts'
const MEMORY = 'services/cache/memory-tier.ts'
const JOURNAL = 'services/cache/journal.ts'
const TAGS = 'services/cache/tags.ts'

function edit(file: string, from: string, to: string): readonly Edit[] {
  return [{ file, from, to }]
}

/** What sees to it that this process keeps and shares nothing old: memory, running loads, the journal's barrier. */
export const ENGINE_GUARDS: readonly Guard[] = [
  {
    name: 'memory is served only while the journal is followed',
    edits: edit(
      CACHE,
      'return journal.isCurrent(now) ? memory.read(key, now) : undefined',
      'return memory.read(key, now)',
    ),
    noticedBy: ['races/lost-message'],
    schedules: 3_000,
  },
  {
    name: 'each run of JavaScript looks at the clock anew',
    edits: edit('services/cache/clock.ts', 'this.#left = 0\n', '\n'),
    noticedBy: ['run-clock'],
  },
  {
    name: 'the barrier is the beginning of a tail, not its end',
    edits: [
      { file: JOURNAL, from: 'this.#barrier = startedAt', to: 'this.#barrier = clock.now()' },
      { file: JOURNAL, from: 'this.#currentUntil = startedAt +', to: 'this.#currentUntil = clock.now() +' },
    ],
    noticedBy: ['races/lost-message'],
  },
  {
    name: 'the tail goes on from where it was',
    edits: edit(JOURNAL, 'await session.tail(this.#cursor)', 'await session.tail(undefined)'),
    noticedBy: ['races/lost-message'],
    schedules: 3_000,
  },
  {
    name: 'a tail reaches back to the oldest transaction of the last snapshot',
    edits: [
      {
        file: 'services/database/cache-journal.ts',
        from: 'select pg_snapshot_xmin(pg_current_snapshot())::text as cursor',
        to: 'select pg_snapshot_xmax(pg_current_snapshot())::text as cursor',
      },
    ],
    noticedBy: ['conformance/journal'],
  },
  {
    name: 'a journal that went back is noticed',
    edits: edit(JOURNAL, 'BigInt(cursor) < BigInt(this.#cursor)', 'BigInt(cursor) < 0n'),
    noticedBy: ['races/lost-message'],
  },
  {
    name: 'what Redis has is not answered below a version heard of',
    edits: edit(FLIGHT, 'if (this.states.some(({ heard }, n) => (versions[n] ?? -1) < heard)) return undefined', ''),
    noticedBy: ['races/late-promotion'],
  },
  {
    name: 'a reply of Redis from before a clear is dropped',
    edits: edit(FLIGHT, 'if (this.clearVersion !== this.#tags.clearVersion) return undefined', ''),
    noticedBy: ['races/late-promotion'],
    schedules: 3_000,
  },
  {
    name: 'stamps are taken before the load',
    edits: edit(
      READ,
      'document = await this.load()',
      `document = await this.load()
      begun = await begin(usableRedis(this.#tiers), this.flight)`,
    ),
    noticedBy: ['races/stale-set'],
    schedules: 3_000,
  },
  {
    name: 'a refused fill is not kept in memory',
    edits: edit(FILLING, '!isRefused &&', ''),
    noticedBy: ['races/stale-set'],
  },
  {
    name: 'a refused load is repeated once',
    edits: edit(
      READ,
      'if (!first.isRefused) return first.lookup',
      'if (first.isRefused || !first.isRefused) return first.lookup',
    ),
    noticedBy: ['races/stale-set'],
  },
  {
    name: 'memory keeps nothing that is behind',
    edits: edit(MEMORY, 'if (this.#isTooLate(fill)) return false', ''),
    noticedBy: ['races/stale-set', 'memory-tier'],
  },
  {
    name: 'memory answers nothing that is behind',
    edits: edit(MEMORY, 'if (link.version < link.state.heard) return true', ''),
    noticedBy: ['races/stale-set', 'memory-tier'],
    schedules: 3_000,
  },
  {
    name: 'a raised tag drops the entry that it names',
    edits: edit(MEMORY, 'if (named?.ownVersion !== undefined && named.ownVersion < version) this.#drop(named)', ''),
    noticedBy: ['memory-tier'],
    schedules: 3_000,
  },
  {
    name: 'memory answers nothing from before a clear',
    edits: edit(MEMORY, 'if (entry.clearVersion !== this.#tags.clearVersion) return true', ''),
    noticedBy: ['races/joined-load', 'memory-tier'],
    schedules: 3_000,
  },
  {
    name: 'an entry is linked with its tags before others make way for it',
    edits: edit(
      MEMORY,
      `    this.#link(entry)
    const older = this.#entries.peek(fill.key)
    if (older !== undefined) this.#drop(older)
    if (this.#entries.add(entry)) return true`,
      `    const older = this.#entries.peek(fill.key)
    if (older !== undefined) this.#drop(older)
    const isIn = this.#entries.add(entry)
    this.#link(entry)
    if (isIn) return true`,
    ),
    noticedBy: ['memory-tier'],
  },
  {
    name: 'a read joins no detached load',
    edits: edit(FLIGHT, 'flight.isDetached || ', ''),
    noticedBy: ['races/joined-load'],
  },
  {
    name: 'a raised tag detaches a load',
    edits: edit(FLIGHT, ' || this.states.some(({ heard }, n) => heard > this.#version(n))', ''),
    noticedBy: ['races/joined-load'],
  },
  {
    name: 'a clear detaches a load',
    edits: edit(FLIGHT, 'this.clearVersion !== this.#tags.clearVersion || ', ''),
    noticedBy: ['races/joined-load'],
  },
  {
    name: 'with the journal lost, no load older than H is joined',
    edits: edit(FLIGHT, ' || !isYoungEnough(flight.startedAt)', ' || (isYoungEnough(0) && false)'),
    noticedBy: ['races/joined-load'],
    schedules: 3_000,
  },
  {
    name: 'a joined read does not take what Redis answered before it began',
    edits: edit(CACHE, 'shared.number < began', 'shared.number < began - began'),
    noticedBy: ['races/redis-only'],
  },
  {
    name: 'a running load holds on to its tags',
    edits: [
      { file: FLIGHT, from: 'for (const state of this.states) state.pins += 1', to: '' },
      { file: FLIGHT, from: 'state.pins -= 1', to: '' },
    ],
    noticedBy: ['races/joined-load'],
  },
  {
    name: 'a tag in use is not forgotten',
    edits: edit(TAGS, 'if (!state.isIdle) this.#states.set(tag, state)', ''),
    noticedBy: ['tags'],
  },
  {
    name: 'a late duplicate lowers nothing in memory',
    edits: edit(TAGS, 'if (version <= state.heard) return false', 'if (version === state.heard) return false'),
    noticedBy: ['races/late-duplicate'],
  },
  {
    name: 'a late duplicate of a clear changes nothing',
    edits: edit(
      TAGS,
      'if (version <= this.clearVersion) return false',
      'if (version === this.clearVersion) return false',
    ),
    noticedBy: ['races/late-duplicate'],
  },
  {
    name: 'a lifetime stamped by another clock is held within the policy',
    edits: edit(FILLING, 'Math.min(stored.expiresAt - wallMs, longest.lifetimeMs)', 'stored.expiresAt - wallMs'),
    noticedBy: ['races/clock-skew'],
  },
  {
    name: 'one replica loads while the others wait',
    edits: edit(READ, 'if (begun.isGranted || !isLeaseNeeded) return begun', 'if (begun.stamps) return begun'),
    noticedBy: ['lease'],
  },
  {
    name: 'who begins after a load was stored answers that',
    edits: edit(READ, 'this.flight, ANY_ENTRY)', 'this.flight)'),
    noticedBy: ['lease'],
  },
  {
    name: 'credentials are never served on error',
    edits: edit(CACHE, '!address.policy.mayServeOnError || ', ''),
    noticedBy: ['isolated'],
  },
  {
    name: 'stale-if-error ends',
    edits: edit(CACHE, ' || isolatedMs > options.staleIfErrorMs', ' || isolatedMs > Infinity'),
    noticedBy: ['isolated'],
  },
]
