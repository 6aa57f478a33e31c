import t, { type Test } from 'tap'
import { CircuitBreaker, Refusals, wordsOf } from '../../../services/cache/redis/circuit-breaker.js'
import { type Deferred, deferred } from '../../helpers/cache/deferred.js'
import { drain, FakeClock } from '../../helpers/cache/fake-clock.js'

function setUp(t: Test) {
  const clock = new FakeClock()
  const pings: Deferred<void>[] = []
  const changes: boolean[] = []
  const breaker: CircuitBreaker = new CircuitBreaker({
    clock,
    ping() {
      const ping = deferred()
      pings.push(ping)
      return ping.promise
    },
    onChange: () => changes.push(breaker.isDown),
  })
  t.teardown(() => breaker.stop())
  return { clock, breaker, pings, changes }
}

t.test('one failure opens it, and the first ping that is answered closes it: nobody is told', async (t) => {
  const { breaker, pings, changes } = setUp(t)
  t.notOk(breaker.isOpen)
  breaker.failed('Command timed out')
  t.ok(breaker.isOpen)
  t.equal(breaker.reason, 'Command timed out')
  t.equal(pings.length, 1)
  pings[0]?.resolve()
  await drain()
  t.notOk(breaker.isOpen)
  t.same(changes, [])
})

t.test('further failures start no further pings', async (t) => {
  const { breaker, pings } = setUp(t)
  for (let n = 0; n < 100; n++) breaker.failed('gone')
  t.equal(pings.length, 1)
})

/** It answers no ping for `ms`, then the next one. */
async function outage({ clock, breaker, pings }: ReturnType<typeof setUp>, ms: number): Promise<void> {
  breaker.failed('gone')
  for (let left = ms; left > 0; left -= 100) {
    pings.at(-1)?.reject(new Error('no answer'))
    await clock.advance(100)
  }
  while (breaker.isOpen) {
    pings.at(-1)?.resolve()
    await clock.advance(10)
  }
}

t.test('no answer for a second is told once, and the answer is told once', async (t) => {
  const world = setUp(t)
  const { clock, breaker, pings, changes } = world
  breaker.failed('gone')
  for (let n = 0; n < 8; n++) {
    pings[n]?.reject(new Error(`no answer ${n}`))
    await clock.advance(500)
    if (n === 0) t.same(changes, [])
  }
  t.same(changes, [true])
  t.match(breaker.reason, /^no answer \d$/)
  pings.at(-1)?.resolve()
  await drain()
  t.same(changes, [true, false])
  t.notOk(breaker.isOpen)
})

t.test('what is shorter than a second is told to nobody, however often it comes', async (t) => {
  const world = setUp(t)
  for (let n = 0; n < 30; n++) {
    await outage(world, 400)
    t.notOk(world.breaker.isOpen, 'it is used at once')
    await world.clock.advance(200)
  }
  t.same(world.changes, [])
})

t.test('outages that come again and again are one, until there is none for long enough', async (t) => {
  const world = setUp(t)
  const { clock, breaker, changes } = world
  for (let n = 0; n < 30; n++) {
    await outage(world, 1_500)
    t.notOk(breaker.isOpen, 'it is used at once all the same')
    await clock.advance(1_000)
  }
  t.ok(changes.length <= 5, `${changes.length} changes in ${Math.round(clock.now() / 1_000)} s`)
  t.ok(breaker.isDown)
  await clock.advance(60_000)
  t.equal(changes.at(-1), false)
  t.notOk(breaker.isDown)
  await clock.advance(300_000)
  const before = changes.length
  await outage(world, 1_500)
  t.equal(changes.length, before + 2, 'after five quiet minutes the next one is told as it is')
})

t.test('it begins open, and says neither that it is lost nor that it is there until one is known', async (t) => {
  const { clock, breaker, pings, changes } = setUp(t)
  breaker.begin()
  t.match(breaker, { isOpen: true, isDown: true, isLost: false })
  pings[0]?.reject(new Error('no'))
  await breaker.begun
  t.same(changes, [])
  for (let n = 1; n < 8; n++) {
    await clock.advance(200)
    pings.at(-1)?.reject(new Error('no'))
  }
  await drain()
  t.same(changes, [true])
  t.ok(breaker.isLost)
})

t.test('a server that refuses a ping but answers is there; one that refuses everything is not', async (t) => {
  const refusal = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' })
  for (const [message, isThere] of [
    ['MISCONF Redis is configured to save RDB snapshots', true],
    ['NOPERM this user has no permissions', true],
    ['LOADING Redis is loading the dataset in memory', false],
    ['NOAUTH Authentication required.', false],
  ] as const) {
    const { breaker, pings } = setUp(t)
    breaker.failed('gone')
    pings[0]?.reject(refusal(message))
    await drain()
    t.equal(!breaker.isOpen, isThere, message)
  }
})

t.test('errors without words of their own are told by those that they were made of', async (t) => {
  const refused = Object.assign(new Error('connect ECONNREFUSED ::1:6379'), { code: 'ECONNREFUSED' })
  t.equal(wordsOf(new AggregateError([refused, 'x'])), 'connect ECONNREFUSED ::1:6379, x')
  t.equal(wordsOf(Object.assign(new Error(''), { code: 'EPIPE' })), 'EPIPE')
  t.equal(wordsOf(Object.assign(new Error('None.'), { lastNodeError: refused })), 'None. connect ECONNREFUSED ::1:6379')
  const aside =
    'Command queue state error. If you can reproduce this, please report it. Last error: ERR max number of clients'
  t.equal(wordsOf(new Error(aside)), 'ERR max number of clients')
})

t.test('refusals are told once for each reason, and once when they are over', async (t) => {
  const clock = new FakeClock()
  const told: (string | undefined)[] = []
  const refusals = new Refusals(clock, (kind, words) => told.push(`${kind}: ${words}`))
  for (let n = 0; n < 100; n++) {
    refusals.refused('writes', 'OOM command not allowed')
    await clock.advance(50)
  }
  t.equal(refusals.inShort, 'writes (OOM)')
  refusals.done('reads')
  refusals.done('writes')
  t.equal(refusals.inShort, 'writes (OOM)', 'one that was taken in between is no change')
  refusals.refused('writes', 'READONLY You can not write against a read only replica.')
  refusals.refused('writes', 'OOM command not allowed')
  refusals.refused('reads', 'NOPERM this user has no permissions')
  t.equal(refusals.inShort, 'writes (OOM), reads (NOPERM)')
  t.notOk(refusals.isDue('writes'))
  await clock.advance(5_000)
  t.ok(refusals.isDue('writes'))
  await clock.advance(5_000)
  refusals.done('writes')
  refusals.done('reads')
  t.equal(refusals.inShort, undefined)
  t.notOk(refusals.isDue('writes'))
  t.match(told, [/^writes: OOM/, /^writes: READONLY/, /^reads: NOPERM/, 'writes: undefined', 'reads: undefined'])
  t.equal(refusals.count, 103)
})

t.test('the pauses between pings grow to half a second', async (t) => {
  const { clock, breaker, pings } = setUp(t)
  const at: number[] = []
  breaker.failed('gone')
  for (let n = 0; n < 9; n++) {
    pings[n]?.reject(new Error('no'))
    await drain()
    const began = clock.now()
    while (pings.length === n + 1) await clock.advance(5)
    at.push(clock.now() - began)
  }
  t.same(at, [20, 40, 80, 160, 320, 500, 500, 500, 500])
})

t.test('stopped it is open for good, whatever a ping under way answers', async (t) => {
  const { clock, breaker, pings, changes } = setUp(t)
  breaker.failed('gone')
  breaker.stop()
  pings[0]?.resolve()
  await clock.advance(1_000)
  t.ok(breaker.isOpen)
  breaker.failed('late')
  t.equal(pings.length, 1)
  t.same(changes, [])
})

t.test('stopped it tells of no ping that fails later', async (t) => {
  const { breaker, pings, changes } = setUp(t)
  breaker.failed('gone')
  breaker.stop()
  pings[0]?.reject(new Error('closed'))
  await drain()
  t.same(changes, [])
})

t.test('a client that throws instead of rejecting is asked again all the same', async (t) => {
  const clock = new FakeClock()
  let asked = 0
  const ping = (): Promise<unknown> => {
    asked += 1
    if (asked === 1) throw new Error('Connection is closed.')
    return Promise.resolve()
  }
  const breaker = new CircuitBreaker({ clock, ping, onChange: () => {} })
  breaker.failed('gone')
  await drain()
  t.ok(breaker.isOpen)
  t.equal(breaker.reason, 'Connection is closed.')
  await clock.advance(1_000)
  t.notOk(breaker.isOpen)
})
