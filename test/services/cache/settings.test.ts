import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type CacheSettings, openCache, systemClock } from '../../../services/cache/index.js'
import { ModelDatabase, ModelJournal } from '../../helpers/cache/model-database.js'

const journal = new ModelJournal(new ModelDatabase())

t.test('a setting that bounds nothing is refused, with its name and what to do', async (t) => {
  const numbers = ['boundMs', 'staleIfErrorMs', 'maxItems', 'maxBytes', 'longestLifetimeMs', 'leaseMs'] as const
  const wrong: Partial<CacheSettings>[] = numbers.flatMap((name) => [{ [name]: NaN }, { [name]: -1 }])
  const verification = { share: 0, perSecond: 5 }
  wrong.push(
    { boundMs: 0 },
    { verification: { ...verification, perSecond: NaN } },
    { verification: { ...verification, share: -1 } },
  )
  for (const settings of wrong)
    await t.rejects(openCache({ journal, ...settings }), {
      name: 'RangeError',
      message: /set it to a number from [01]/,
    })
  t.equal(journal.tails, 0)
})

t.test('what is undefined is left out', async (t) => {
  const cache = await openCache({ journal, boundMs: undefined, maxItems: 0 } as never)
  t.match(cache.following(), { boundMs: 1_000, maxItems: 0 })
  await cache.close()
})

t.test('a timer of more than Node has does not go off at once', async (t) => {
  let fired = 0
  const cancel = systemClock.after(2 ** 40, () => void (fired += 1))
  await sleep(20)
  t.equal(fired, 0)
  cancel()
})
