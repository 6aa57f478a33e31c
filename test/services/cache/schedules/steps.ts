import fc from 'fast-check'
import type { Key } from './ledger.js'
import type { Fate, Process } from './process.js'
import type { World } from './world.js'

/** One thing that happens, and how many messages arrive after it. */
export interface Step {
  readonly words: string
  readonly arrivals: number
  run(world: World): void | Promise<void>
}

// Most of it between two replicas, on one key: races are found where things meet.
const replica = fc.constantFrom(0, 0, 0, 1, 1, 1, 2)
const key = fc.constantFrom<Key>('a', 'a', 'a', 'a', 'b', 'list')
const row = fc.constantFrom<'a' | 'b'>('a', 'a', 'a', 'b')
const fate = fc.constantFrom<Fate>('acknowledged', 'acknowledged', 'acknowledged', 'crash', 'rolled back')
const pauseMs = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(1, 20, 60, 130, 340, 700, 1_050) },
  { weight: 1, arbitrary: fc.constantFrom(2_000, 4_500) },
)
/** Long enough to lose the barrier and to look for a voucher. */
const SILENCE_MS = 1_500
/** What the journal's connection brings; loads go by others. */
const FROM_JOURNAL = /^notification|: (tail|listen)$/
const arrivals = fc.oneof(
  { weight: 6, arbitrary: fc.nat(4) },
  { weight: 3, arbitrary: fc.integer({ min: 5, max: 20 }) },
)

type Action = Pick<Step, 'words' | 'run'>

const reads = fc.oneof(
  {
    weight: 6,
    arbitrary: requests(
      key,
      (k) => `reads ${k}`,
      (process, k) => process.read(k),
    ),
  },
  {
    weight: 1,
    arbitrary: requests(
      key,
      (k) => `looks at ${k}`,
      (process, k) => process.look(k),
    ),
  },
  {
    weight: 1,
    arbitrary: requests(
      fc.constant(['a', 'b'] as const),
      () => 'reads a and b',
      (process, keys) => process.readMany(keys),
    ),
  },
)

const writes = fc.oneof(
  {
    weight: 6,
    arbitrary: requests(
      fc.tuple(row, fate),
      ([r, f]) => `writes ${r} (${f})`,
      (process, [r, f]) => process.write(r, f),
    ),
  },
  {
    weight: 1,
    arbitrary: requests(
      fc.constant(undefined),
      () => 'clears everything, after changes past the cache',
      (process) => process.clear(),
    ),
  },
)

const elapse = fc.oneof(
  {
    weight: 3,
    arbitrary: pauseMs.map((ms) => action(`${ms} ms pass, and everything arrives`, (w) => w.pass(ms))),
  },
  {
    weight: 2,
    arbitrary: pauseMs.map((ms) => action(`${ms} ms pass, and nothing arrives`, (w) => w.clock.advance(ms))),
  },
)

const redisFaults = fc.oneof(
  fc.constant(action('Redis is wiped', (w) => w.redis.wipe())),
  fc.nat(5).map((n) =>
    action(`Redis evicts key ${n}`, (w) => {
      const name = w.redis.keys()[n]
      w.tell(() => `Redis evicts ${name ?? 'nothing'}`)
      if (name !== undefined) w.redis.delete(name)
    }),
  ),
  fc.constantFrom('a', 'list', 'owner').map((t) =>
    action(`Redis loses the tag ${t}`, (w) =>
      w.redis
        .keys()
        .filter((name) => name.endsWith(`:tag:u/tag-${t}`) || name.endsWith(`:tag:u/${t}`))
        .forEach((name) => w.redis.delete(name)),
    ),
  ),
  fc.constant(
    action('Redis saves a copy', (w) => void (w.copy = { keys: w.redis.snapshot(), floor: w.ledger.redisFloor })),
  ),
  fc.constant(
    action('Redis is killed and comes back with the saved copy', (w) => {
      if (w.copy === undefined) return
      w.redis.stop()
      w.redis.start(w.copy.keys)
      w.ledger.redisWentBack(w.copy.floor)
    }),
  ),
  fc.constant(
    action('Redis is killed and comes back empty', (w) => {
      w.redis.stop()
      w.redis.start(new Map())
    }),
  ),
  fc.constant(action('Redis goes down', (w) => w.redis.stop())),
  fc.constant(action('Redis comes up', (w) => w.redis.isUp || w.redis.start())),
  fc.constant(action('Redis stands still', (w) => w.redis.pause())),
  fc.constant(action('Redis goes on', (w) => w.redis.resume())),
)

const linkFaults = fc.oneof(
  replica.map((at) => action(`the link of replica ${at + 1} to Redis breaks`, (w) => w.replicas[at]?.redis.cut())),
  replica.map((at) =>
    action(`what replica ${at + 1} sends to Redis goes nowhere`, (w) => w.replicas[at]?.redis.blackHole(true)),
  ),
  replica.map((at) => action(`replica ${at + 1} reaches Redis again`, (w) => w.replicas[at]?.redis.blackHole(false))),
  {
    weight: 2,
    arbitrary: replica.map((at) =>
      action(`replica ${at + 1} loses its journal connection`, (w) =>
        sessions(w, at).forEach((session) => session.cut()),
      ),
    ),
  },
  {
    weight: 2,
    arbitrary: replica.map((at) =>
      action(`replica ${at + 1} hears no notification any more`, (w) =>
        sessions(w, at).forEach((session) => (session.isDeaf = true)),
      ),
    ),
  },
  fc.tuple(replica, fc.nat(8)).map(([at, n]) =>
    action(`replica ${at + 1} hears notification ${n} once more`, (w) => {
      const raised = w.notified[n]
      if (raised !== undefined && w.replicas[at]?.isRunning === true) void w.replicas[at].cache?.raise(raised)
    }),
  ),
)

const slowness = fc.oneof(
  replica.map((at) => action(`what comes to replica ${at + 1} is held up`, (w) => w.replicas[at]?.holdUp(/./))),
  replica.map((at) =>
    action(`the journal falls silent for replica ${at + 1}, and ${SILENCE_MS} ms pass`, async (w) => {
      w.replicas[at]?.holdUp(FROM_JOURNAL)
      await w.pass(SILENCE_MS)
    }),
  ),
  replica.map((at) => action(`replica ${at + 1} gets what was held up`, (w) => w.replicas[at]?.holdUp(undefined))),
)

const databaseFaults = fc.oneof(
  fc.constant(
    action('Postgres goes down', (w) => {
      w.ledger.databaseStopped()
      w.journal.stop()
    }),
  ),
  { weight: 2, arbitrary: fc.constant(action('Postgres comes up', (w) => w.journal.start())) },
  fc.constant(action('the journal is pruned', (w) => void w.journal.prune(8_000))),
)

const processFaults = fc.oneof(
  replica.map((at) => action(`replica ${at + 1} is killed and started anew`, (w) => w.restart(at))),
  replica.map((at) => action(`replica ${at + 1} stands still`, (w) => w.replicas[at]?.pause())),
  fc
    .tuple(replica, key)
    .map(([at, k]) =>
      action(`replica ${at + 1} goes on, and reads ${k} first`, (w) =>
        w.replicas[at]?.resume(() => void w.replicas[at]?.read(k)),
      ),
    ),
  replica.map((at) => action(`replica ${at + 1} goes on`, (w) => w.replicas[at]?.resume())),
)

const anyAction = fc.oneof(
  { weight: 10, arbitrary: reads },
  { weight: 4, arbitrary: writes },
  { weight: 4, arbitrary: elapse },
  { weight: 2, arbitrary: redisFaults },
  { weight: 2, arbitrary: linkFaults },
  { weight: 2, arbitrary: slowness },
  { weight: 1, arbitrary: databaseFaults },
  { weight: 1, arbitrary: processFaults },
)

/** Shrinks towards fewer steps and fewer arrivals. */
export const anySteps = fc.array(
  fc.tuple(anyAction, arrivals).map(([{ words, run }, count]): Step => ({ words, run, arrivals: count })),
  { minLength: 4, maxLength: 30, size: 'max' },
)

function action(words: string, run: (world: World) => unknown): Action {
  return {
    words,
    async run(world) {
      await run(world)
    },
  }
}

/** Requests to any replica; half of them are answered before the next step, if nothing holds them up. */
function requests<T>(
  of: fc.Arbitrary<T>,
  words: (what: T) => string,
  run: (process: Process, what: T) => Promise<void>,
): fc.Arbitrary<Action> {
  return fc.tuple(replica, of, fc.boolean()).map(([at, what, isAwaited]) =>
    action(`replica ${at + 1} ${words(what)}${isAwaited ? ', and is done' : ''}`, async (world) => {
      const process = world.replicas[at]
      if (process === undefined) return
      const done = run(process, what)
      if (isAwaited) await world.deliverUntil(done)
    }),
  )
}

function sessions(world: World, at: number) {
  return [...(world.replicas[at]?.store.sessions ?? [])]
}
