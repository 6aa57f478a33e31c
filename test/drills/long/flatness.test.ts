import t from 'tap'
import { Seeded } from '../../helpers/seeded.js'
import { flatness, type Series } from './flatness.js'
import { planRounds } from '../plan.js'

/** A sample a minute for two hours. */
function series(valueAt: (minutes: number) => number, samples = 120): Series {
  const points = Array.from({ length: samples }, (_, n) => [n, valueAt(n)] as const)
  return { name: 'resident', unit: 'MB', points }
}

const random = new Seeded(20_261_126)
const noise = (): number => 20 * (random.next() - 0.5)

t.test('a figure that stays where it is, noisy or like a saw, is flat', async (t) => {
  t.match(flatness(series(() => 120 + noise())), { isFlat: true, samples: 60 })
  t.match(flatness(series((n) => 100 + (n % 17) * 4)), { isFlat: true, least: 100, most: 164 })
  t.match(flatness(series((n) => Math.min(n, 40) * 5 + noise())), { isFlat: true }, 'what fills up in the first half')
  t.match(flatness(series(() => 0)), { isFlat: true, growth: 0 })
  t.match(flatness(series((n) => 500 - n)), { isFlat: true }, 'what shrinks')
})

t.test('a leak grows, under noise too', async (t) => {
  t.match(flatness(series((n) => 100 + n / 2)), { isFlat: false, growth: 29.5 })
  t.match(flatness(series((n) => 100 + n / 2 + noise())), { isFlat: false })
  t.match(flatness(series((n) => 100 + n / 2 + (n % 10) * 2)), { isFlat: false }, 'a saw that climbs')
  t.match(flatness(series((n) => n * n)), { isFlat: false })
})

t.test('too few samples say nothing, and that is no pass', async (t) => {
  t.match(flatness(series(() => 1, 12)), { samples: 6, isFlat: false })
  t.match(flatness(series(() => 1, 0)), { samples: 0, isFlat: false })
})

t.test('a long plan spares a replica and leaves out what it is told to', async (t) => {
  const name = '50,000 rows in one transaction'
  const rounds = planRounds({ random, replicas: 3, isShort: false, without: [name], spared: 0 })
  const kills = rounds.filter(({ faults }) => faults.some((fault) => fault.startsWith('replica killed')))
  t.ok(kills.length > 50)
  t.same(new Set(kills.map(({ victim }) => victim)), new Set([1, 2]))
  t.notOk(rounds.some(({ faults }) => faults.includes(name)))
  t.ok(
    rounds.some(({ victim }) => victim === 0),
    'other faults hit it too',
  )
  // Ten seconds each, about.
  t.ok(rounds.length > 720, 'enough for two hours')
})
