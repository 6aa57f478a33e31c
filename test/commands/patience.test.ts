import t from 'tap'
import { patiently } from '../../commands/import/patience.js'
import { DatabaseUnavailableError } from '../../services/database/index.js'

const { signal } = new AbortController()

/** Refused so many times, then done. */
function busy(times: number): () => Promise<number> {
  let asked = 0
  return async () => {
    asked += 1
    if (asked <= times) throw new DatabaseUnavailableError(`no ${asked}`)
    return asked
  }
}

t.test('what the database has no time for is tried again, and each reason is told', async (t) => {
  const told: string[] = []
  t.equal(await patiently(busy(2), { signal, onWait: (reason) => told.push(reason) }), 3)
  t.match(told, [/no 1/, /no 2/])
})

t.test('it gives up after a while, and at once on anything else', async (t) => {
  const told: string[] = []
  const options = { signal, onWait: (reason: string) => told.push(reason), longestMs: 400 }
  await t.rejects(patiently(busy(Infinity), options), /no 2/)
  t.equal(told.length, 1)
  await t.rejects(
    patiently(() => Promise.reject(new Error('a mistake')), options),
    /a mistake/,
  )
  t.equal(told.length, 1)
})

t.test('an interruption ends the waiting, after one more attempt', async (t) => {
  const interruption = new AbortController()
  let [waits, abortedAt] = [0, 0]
  const onWait = (): void => {
    waits += 1
    // Of pauses of 250, 500 and 1,000 ms the last.
    if (waits < 3) return
    setImmediate(() => {
      abortedAt = performance.now()
      interruption.abort()
    })
  }
  await t.rejects(patiently(busy(Infinity), { signal: interruption.signal, onWait }), /no 4/)
  t.ok(performance.now() - abortedAt < 900)
})
