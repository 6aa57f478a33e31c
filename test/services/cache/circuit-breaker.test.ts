import t, { type Test } from 'tap'
import { CircuitBreaker } from '../../../services/cache/redis.js'
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

t.test('a ping that fails too is told once, and the answer is told once', async (t) => {
  const { clock, breaker, pings, changes } = setUp(t)
  breaker.failed('gone')
  for (let n = 0; n < 5; n++) {
    pings[n]?.reject(new Error(`no answer ${n}`))
    await clock.advance(500)
  }
  t.same(changes, [true])
  t.equal(breaker.reason, 'no answer 4')
  pings.at(-1)?.resolve()
  await drain()
  t.same(changes, [true, false])
  t.notOk(breaker.isOpen)
  breaker.failed('gone again')
  pings.at(-1)?.reject(new Error('no'))
  await drain()
  t.same(changes, [true, false, true])
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
  t.ok(breaker.isDown)
  t.equal(breaker.reason, 'Connection is closed.')
  await clock.advance(1_000)
  t.notOk(breaker.isOpen)
})
