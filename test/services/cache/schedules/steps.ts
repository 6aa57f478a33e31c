import fc from 'fast-check'
import type { Key, Row } from './ledger.js'
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
const key = fc.constantFrom<Key>('a', 'a', 'a', 'a', 'b', 'list', 'shows a')
const row = fc.constantFrom<Row>('a', 'a', 'a', 'b')
const fate = fc.constantFrom<Fate>('acknowledged', 'acknowledged', 'acknowledged', 'answer lost', 'rolled back')
const pauseMs = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(1, 20, 60, 130, 340, 700, 1_050) },
  { weight: 1, arbitrary: fc.constantFrom(2_000, 4_500) },
)
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
      (name) => `reads ${name}`,
      (process, name) => process.read(name),
    ),
  },
  {
    weight: 1,
    arbitrary: requests(
      key,
      (name) => `looks at ${name}`,
      (process, name) => process.look(name),
    ),
  },
  {
    weight: 1,
    arbitrary: requests(
      fc.constantFrom<readonly Key[]>(['a', 'b'], ['shows a', 'list']),
      (keys) => `reads ${keys.join(' and ')}`,
      (process, keys) => process.readMany(keys),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(replica, replica, key).map(([at, of, name]) =>
      action(`replica ${at + 1} reads ${name} after the last write of replica ${of + 1}`, (world) => {
        const [reader, writer] = [world.replicas[at], world.replicas[of]]
        if (reader !== undefined && writer !== undefined) void reader.readAfter(writer, name)
      }),
    ),
  },
)

const writes = fc.oneof(
  {
    weight: 8,
    arbitrary: requests(
      fc.tuple(row, fate),
      ([name, end]) => `writes ${name} (${end})`,
      (process, [name, end]) => process.write(name, end),
    ),
  },
  { weight: 2, arbitrary: row.map((name) => action(`somebody writes ${name} by SQL`, (world) => world.change(name))) },
  {
    weight: 1,
    arbitrary: requests(
      fc.constant('*'),
      () => 'clears everything',
      (process) => process.clear(),
    ),
  },
)

const elapse = fc.oneof(
  { weight: 3, arbitrary: pauseMs.map((ms) => action(`${ms} ms pass, and everything arrives`, (w) => w.pass(ms))) },
  { weight: 2, arbitrary: pauseMs.map((ms) => action(`${ms} ms pass`, (world) => world.clock.advance(ms))) },
  { weight: 1, arbitrary: pauseMs.map((ms) => action(`all stand still for ${ms} ms`, (w) => w.clock.stall(ms))) },
  { weight: 1, arbitrary: pauseMs.map((ms) => action(`wall clocks jump by ${ms} ms`, (w) => w.clock.stepWall(ms))) },
)

const redisFaults = fc.oneof(
  plain('Redis is wiped', (world) => world.redisKeys.keys.clear()),
  plain('Redis saves a copy', (world) => void (world.dump = world.redisKeys.save())),
  plain('Redis comes back with the saved copy', (world) => {
    if (world.dump !== undefined) world.redisKeys.keys = new Map(world.dump)
  }),
  plain('Redis goes down', (world) => world.setRedisDown(true)),
  plain('Redis comes up', (world) => world.setRedisDown(false)),
  ofReplica('has writes refused by Redis', ({ redis }) => void (redis.refuses = 'OOM')),
  ofReplica('has its writes taken by Redis again', ({ redis }) => void (redis.refuses = undefined)),
)

const journalFaults = fc.oneof(
  ofReplica('loses its connection that listens', ({ journal }) => journal.cut()),
  ofReplica('hears no announcement', ({ journal }) => void (journal.isDeaf = true)),
  ofReplica('hears announcements again', ({ journal }) => void (journal.isDeaf = false)),
  ofReplica('hears an announcement that nobody made', ({ journal }) => journal.hear('["x","u/a"]')),
  ofReplica('loses the journal', ({ journal }) => void (journal.failure = new Error('gone'))),
  ofReplica('finds the journal at fault', ({ journal }) => void (journal.fault = 'a trigger is missing')),
  ofReplica('has the journal again', ({ journal }) => {
    journal.failure = undefined
    journal.fault = undefined
  }),
  plain('a mark is taken', (world) => world.database.mark()),
  plain('the journal is pruned', (world) => void world.database.prune()),
)

const databaseFaults = fc.oneof(
  plain('Postgres goes down', (world) => world.setDatabaseDown(true)),
  plain('Postgres comes up', (world) => world.setDatabaseDown(false)),
  plain('Postgres flushes its log', (world) => world.flush()),
  plain('Postgres crashes, and loses what it had not flushed', (world) => world.crash()),
)

const restarts = replica.map((at) => action(`replica ${at + 1} is killed and started anew`, (w) => w.restart(at)))

const anyAction = fc.oneof(
  { weight: 10, arbitrary: reads },
  { weight: 4, arbitrary: writes },
  { weight: 4, arbitrary: elapse },
  { weight: 2, arbitrary: redisFaults },
  { weight: 2, arbitrary: journalFaults },
  { weight: 1, arbitrary: databaseFaults },
  { weight: 1, arbitrary: restarts },
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

function plain(words: string, run: (world: World) => unknown): fc.Arbitrary<Action> {
  return fc.constant(action(words, run))
}

function ofReplica(words: string, run: (process: Process) => unknown): fc.Arbitrary<Action> {
  return replica.map((at) =>
    action(`replica ${at + 1} ${words}`, (world) => {
      const process = world.replicas[at]
      return process && run(process)
    }),
  )
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
