import t from 'tap'
import { RunClock } from '../../../services/cache/clock.js'
import { FakeClock } from '../../helpers/cache/fake-clock.js'

/** A fake clock that counts the looks at it and ends a run when told to. */
class CountedClock extends FakeClock {
  looks = 0
  readonly #ends: (() => void)[] = []

  override now(): number {
    this.looks += 1
    return super.now()
  }

  endOfRun(work: () => void): void {
    this.#ends.push(work)
  }

  endRun(): void {
    for (const work of this.#ends.splice(0)) work()
  }
}

t.test('the reads of one run share a look at the clock', async (t) => {
  const clock = new CountedClock()
  const runClock = new RunClock(clock)
  const times = Array.from({ length: 100 }, () => runClock.now())
  t.equal(clock.looks, 1)
  t.equal(new Set(times).size, 1)
})

t.test('a run that comes after a standstill looks anew', async (t) => {
  const clock = new CountedClock()
  const runClock = new RunClock(clock)
  const before = runClock.now()
  clock.endRun()
  clock.stall(3_000)
  t.equal(runClock.now(), before + 3_000)
})

t.test('a run that goes on and on looks again after some reads', async (t) => {
  const clock = new CountedClock()
  const runClock = new RunClock(clock)
  const before = runClock.now()
  clock.stall(3_000)
  const times = Array.from({ length: 1_000 }, () => runClock.now())
  t.equal(times.at(-1), before + 3_000)
  t.ok(clock.looks < 20)
})

t.test('a clock that knows no runs is looked at each time', async (t) => {
  const clock = new FakeClock()
  const runClock = new RunClock(clock)
  const before = runClock.now()
  clock.stall(1)
  t.equal(runClock.now(), before + 1)
})
