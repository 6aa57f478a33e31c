import type { Edit, Guard } from './guards.js'

const SCRIPTS = 'services/cache/redis-scripts.ts'
const MODEL = 'test/helpers/cache/model-redis-scripts.ts'
const READS = 'services/cache/redis-reads.ts'
const LOADS = 'services/cache/redis-loads.ts'
const LINK = 'services/cache/redis-link.ts'

function script(from: string, to: string): Edit {
  return { file: SCRIPTS, from, to }
}

/** What sees to it that Redis holds nothing old that would be valid, and that nobody asks it when it may. */
export const REDIS_GUARDS: readonly Guard[] = [
  {
    name: 'a fill compares the stamps',
    edits: [
      script(`if held[entries + number] ~= ARGV[1 + number] then reply[i] = 0 end`, ``),
      { file: MODEL, from: 'tags.map((key, at) => keyspace.get(key) === values[1 + at])', to: 'tags.map(() => true)' },
    ],
    noticedBy: ['races/stale-set'],
  },
  {
    name: 'a fill makes no tag',
    edits: [
      script(
        `local held = redis.call('MGET', unpack(KEYS, entries + 1))`,
        `for i = 1, tags do redis.call('SET', KEYS[2 * entries + i], ARGV[1 + i], 'NX') end
local held = redis.call('MGET', unpack(KEYS, entries + 1))`,
      ),
    ],
    noticedBy: ['races/stale-set'],
  },
  {
    name: 'a tag has an incarnation',
    edits: [
      script(`stamps[i] = heard .. ':' .. ARGV[4]`, `stamps[i] = heard .. ':same'`),
      script(
        `redis.call('SET', KEYS[i], version .. ':' .. ARGV[2], 'PX', ARGV[1])`,
        `redis.call('SET', KEYS[i], version .. ':same', 'PX', ARGV[1])`,
      ),
      { file: MODEL, from: 'const stamp = `${version}:${incarnation}`', to: 'const stamp = `${version}:same`' },
      { file: MODEL, from: 'keyspace.set(key, `${version}:${incarnation}`', to: 'keyspace.set(key, `${version}:same`' },
    ],
    noticedBy: ['races/stale-set'],
  },
  {
    name: 'a raise lowers no tag',
    edits: [script(`if not held or versionOf(held) < tonumber(version) then`, `if true then`)],
    noticedBy: ['races/late-duplicate'],
  },
  {
    name: 'a begin lifts a tag to what was heard of',
    edits: [script(`if not stamps[i] or versionOf(stamps[i]) < tonumber(heard) then`, `if not stamps[i] then`)],
    noticedBy: ['races/late-promotion'],
  },
  {
    name: 'a begin keeps a tag that is there',
    edits: [script(`if not stamps[i] or versionOf(stamps[i]) < tonumber(heard) then`, `if true then`)],
    noticedBy: ['conformance/redis'],
  },
  {
    name: 'a begin lets a tag outlive its entry',
    edits: [script(`redis.call('PEXPIRE', key, ARGV[3])`, ``)],
    noticedBy: ['conformance/redis'],
  },
  {
    name: 'a begin answers an entry only while its tags equal its stamps',
    edits: [
      script(`return its == current and`, `return`),
      { file: MODEL, from: `its.join(' ') === current.join(' ') &&`, to: '' },
    ],
    noticedBy: ['redis-tier', 'conformance/redis'],
    schedules: 3_000,
  },
  {
    name: 'a load gives back its own lease only',
    edits: [script(`if held[i] == ARGV[at + 3] then`, `if true then`)],
    noticedBy: ['conformance/redis'],
  },
  {
    name: 'a voucher ends at a moment, however late it arrives',
    edits: [
      script(`local left = tonumber(ARGV[2]) - now`, `local left = 667`),
      {
        file: MODEL,
        from: 'const leftMs = Number(validUntil) - keyspace.timeMs()',
        to: 'const leftMs = Number(validUntil) * 0 + 667',
      },
    ],
    noticedBy: ['races/redis-only'],
  },
  {
    name: 'an entry is valid only while its tags equal its stamps',
    edits: [{ file: READS, from: 'current === null || current !== entry?.stamps[n]', to: 'n < 0' }],
    noticedBy: ['races/forgetful-redis', 'races/redis-only'],
    schedules: 3_000,
  },
  {
    name: 'an absent tag is a miss',
    edits: [
      {
        file: READS,
        from: 'current === null || current !== entry?.stamps[n]',
        to: 'current !== null && current !== entry?.stamps[n]',
      },
    ],
    noticedBy: ['races/forgetful-redis'],
  },
  {
    name: 'loads that share a fill are compared with their own stamps',
    edits: [{ file: LOADS, from: 'number === undefined || stamps[number - 1] !== stamp', to: 'number === undefined' }],
    noticedBy: ['redis-tier'],
  },
  {
    name: 'loads that share a begin lift a tag to the highest version heard of',
    edits: [{ file: LOADS, from: 'else if (version > (heard[number - 1] ?? 0))', to: 'else if (version < 0)' }],
    noticedBy: ['redis-tier'],
  },
  {
    name: 'a failed raise puts Redis out of use',
    edits: [{ file: LINK, from: 'this.lost(`a raise failed: ${messageOf(error)}`)', to: 'void error' }],
    noticedBy: ['races/swallowed-failure'],
  },
  {
    name: 'a closed connection puts Redis out of use',
    edits: [{ file: LINK, from: `this.lost('a connection closed or failed over')`, to: `void 'nothing'` }],
    noticedBy: ['breaker'],
  },
  {
    name: 'Redis is resynced before it is used',
    edits: [{ file: LINK, from: 'await resync({', to: 'void ({' }],
    noticedBy: ['races/swallowed-failure', 'races/forgetful-redis'],
    schedules: 5_000,
  },
  {
    name: 'a resync goes on after its first page',
    edits: [
      {
        file: 'services/cache/resync.ts',
        from: 'if (page.length < PAGE_ROWS) return',
        to: 'if (page.length >= 0) return',
      },
    ],
    noticedBy: ['races/swallowed-failure'],
  },
  {
    name: 'a write waits for a raise that a notification set off',
    edits: [
      {
        file: LINK,
        from: `    }
    await Promise.all(this.#raising)
  }`,
        to: `      await Promise.all(this.#raising)
    }
  }`,
      },
    ],
    noticedBy: ['races/swallowed-failure'],
  },
  {
    name: 'a voucher waits for the raises under way',
    edits: [
      {
        file: LINK,
        from: `const generation = this.#generation
    await Promise.all(this.#raising)`,
        to: 'const generation = this.#generation',
      },
    ],
    noticedBy: ['races/swallowed-failure'],
  },
  {
    name: 'a voucher is believed for a third of H',
    edits: [
      {
        file: LINK,
        from: 'now - this.#vouchedAt < this.#options.boundMs / 3',
        to: 'now - this.#vouchedAt < this.#options.boundMs * 3',
      },
    ],
    noticedBy: ['races/redis-only'],
  },
  {
    name: 'a voucher tells of the last clear',
    edits: [{ file: LINK, from: 'onVoucher(clearVersion)', to: 'void onVoucher' }],
    noticedBy: ['races/redis-only'],
  },
  {
    name: 'without the journal, Redis is trusted only with a voucher',
    edits: [
      {
        file: 'services/cache/tiers.ts',
        from: 'journal.isCurrent(now) ? redis.link.isTrusted : redis.link.isVouched(now)',
        to: 'redis.link.isTrusted',
      },
    ],
    noticedBy: ['races/redis-only'],
  },
  {
    name: 'after a failed command, reads go without Redis until it answers',
    edits: [{ file: LINK, from: `this.state === 'live' && !this.#isSuspect`, to: `this.state === 'live'` }],
    noticedBy: ['breaker'],
  },
  {
    name: 'after five failures no request waits for Redis',
    edits: [
      {
        file: 'services/cache/breaker.ts',
        from: 'if (this.#failures === this.#limit) this.#onOpen',
        to: 'if (this.#failures < 0) this.#onOpen',
      },
    ],
    noticedBy: ['breaker'],
  },
  {
    name: 'keys name the journal they belong to',
    edits: [{ file: 'services/cache/redis-keys.ts', from: ':${journalId}`', to: '`' }],
    noticedBy: ['races/forgetful-redis'],
  },
]
