import t from 'tap'
import { Admission } from '../../../services/database/admission.js'
import { deferred } from '../../helpers/cache/deferred.js'
import { until } from '../../helpers/deadline.js'

/** Work that ends when it is told to; `begun` has who began, in order. */
function stage(admission: Admission) {
  const begun: string[] = []
  const ends: (() => void)[] = []
  const run = (name: string, user?: string, isWrite = false): Promise<void> =>
    admission.run(
      async () => {
        begun.push(name)
        const end = deferred<void>()
        ends.push(() => end.resolve())
        await end.promise
      },
      { user, isWrite },
    )
  const endOne = async (): Promise<void> => {
    ends.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { begun, run, endOne }
}

const BUSY = { code: 'DATABASE_UNAVAILABLE' }

t.test('so many are in at a time, the next ones wait, and who comes then is refused before it has begun', async (t) => {
  const admission = new Admission({ most: 1, mostWaiting: 2, longestWaitMs: 10_000, longestWriteWaitMs: 10_000 })
  const { begun, run, endOne } = stage(admission)
  const all = [run('a'), run('b'), run('c')]
  await t.rejects(run('d'), BUSY)
  t.same(begun, ['a'])
  t.match(admission.counts, { inside: 1, waiting: 2, refused: 1 })
  for (let n = 0; n < 3; n += 1) await endOne()
  await Promise.all(all)
  t.same(begun, ['a', 'b', 'c'])
  t.match(admission.counts, { inside: 0, waiting: 0 })
})

t.test(
  'of those that may be in only a share is let in while the process is short of time, and one at least',
  async (t) => {
    let share = 1
    const waits = { mostWaiting: 10, longestWaitMs: 10_000, longestWriteWaitMs: 10_000 }
    const admission = new Admission({ most: 4, ...waits, share: () => share })
    const { begun, run, endOne } = stage(admission)
    const all = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => run(name))
    t.same(begun, ['a', 'b', 'c', 'd'])
    share = 0.5
    await endOne()
    await endOne()
    t.same(begun.length, 4, 'who leaves hands no place on')
    await endOne()
    t.same(begun.length, 5)
    share = 0
    await endOne()
    t.match(admission.counts, { inside: 1, waiting: 3 })
    await endOne()
    t.match(admission.counts, { inside: 1, waiting: 2 }, 'one at least')
    t.equal(admission.most, 1)
    share = 1
    await endOne()
    t.match(admission.counts, { inside: 2, waiting: 0 }, 'all who wait and fit')
    await endOne()
    await endOne()
    await Promise.all(all)
    t.match(admission.counts, { inside: 0, waiting: 0 })
  },
)

t.test('of the share those who wait for the database have no part', async (t) => {
  const waits = { mostWaiting: 10, longestWaitMs: 10_000, longestWriteWaitMs: 10_000 }
  const admission = new Admission({ most: 3, ...waits, share: () => 0, waitsAfterMs: 100 })
  const { begun, run, endOne } = stage(admission)
  const all = ['a', 'b', 'c', 'd'].map((name) => run(name))
  t.same(begun, ['a'])
  await until(() => begun.length === 2, { describe: 'the first one waits for the database' })
  await until(() => begun.length === 3, { describe: 'and the second one' })
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.match(admission.counts, { inside: 3, waiting: 1 }, 'no more than there are connections')
  for (let n = 0; n < 4; n += 1) await endOne()
  await Promise.all(all)
  t.match(admission.counts, { inside: 0, waiting: 0 })
})

t.test('who waits comes in when the share rises, although nobody leaves', async () => {
  let share = 0.5
  const waits = { mostWaiting: 10, longestWaitMs: 10_000, longestWriteWaitMs: 10_000 }
  const admission = new Admission({ most: 2, ...waits, share: () => share })
  const { begun, run, endOne } = stage(admission)
  const all = [run('a'), run('b')]
  share = 1
  await until(() => begun.length === 2, { describe: 'both are in' })
  await endOne()
  await endOne()
  await Promise.all(all)
})

t.test('who comes while there is room again does not overtake those that wait', async (t) => {
  let share = 0.5
  const waits = { mostWaiting: 10, longestWaitMs: 10_000, longestWriteWaitMs: 10_000 }
  const admission = new Admission({ most: 2, ...waits, share: () => share })
  const { begun, run, endOne } = stage(admission)
  const all = [run('a'), run('b')]
  share = 1
  all.push(run('c'))
  await new Promise((resolve) => setImmediate(resolve))
  t.same(begun, ['a', 'b'])
  for (let n = 0; n < 3; n += 1) await endOne()
  await Promise.all(all)
  t.same(begun, ['a', 'b', 'c'])
})

t.test('who waits for too long is refused, and takes no place', async (t) => {
  const admission = new Admission({ most: 1, mostWaiting: 10, longestWaitMs: 50, longestWriteWaitMs: 10_000 })
  const { begun, run, endOne } = stage(admission)
  const first = run('a')
  await t.rejects(run('b', 'user'), BUSY)
  t.match(admission.counts, { inside: 1, waiting: 0 })
  await endOne()
  await first
  const next = run('c')
  await endOne()
  await next
  t.same(begun, ['a', 'c'])
})

t.test('a wait that began elsewhere is counted', async (t) => {
  const admission = new Admission({ most: 1, mostWaiting: 10, longestWaitMs: 10_000, longestWriteWaitMs: 10_000 })
  const { run, endOne } = stage(admission)
  const first = run('a')
  const since = performance.now() - 9_950
  await t.rejects(
    admission.run(async () => {}, { user: 'user', since }),
    BUSY,
  )
  t.ok(performance.now() - since < 12_000)
  await endOne()
  await first
})

t.test('a write waits for longer than a load that came after it', async (t) => {
  const admission = new Admission({ most: 1, mostWaiting: 10, longestWaitMs: 50, longestWriteWaitMs: 10_000 })
  const { begun, run, endOne } = stage(admission)
  const all = [run('first'), run('write', 'user', true)]
  await t.rejects(run('load', 'user'), BUSY)
  t.match(admission.counts, { inside: 1, waiting: 1, refused: 1 })
  await endOne()
  await endOne()
  await Promise.all(all)
  t.same(begun, ['first', 'write'])
})

t.test('a load does not wait for all that its user writes', async (t) => {
  const admission = new Admission({ most: 1, mostWaiting: 20, longestWaitMs: 10_000, longestWriteWaitMs: 10_000 })
  const { begun, run, endOne } = stage(admission)
  const all = [run('first')]
  for (const name of ['write 1', 'write 2', 'write 3']) all.push(run(name, 'a', true))
  all.push(run('load', 'a'))
  while (begun.length < all.length) await endOne()
  await endOne()
  await Promise.all(all)
  t.same(begun, ['first', 'write 1', 'load', 'write 2', 'write 3'])
})

t.test('users take turns, and every other turn is of what is done for several', async (t) => {
  const admission = new Admission({ most: 1, mostWaiting: 20, longestWaitMs: 10_000, longestWriteWaitMs: 10_000 })
  const { begun, run, endOne } = stage(admission)
  const all = [run('first')]
  for (const name of ['a1', 'a2', 'a3', 'a4']) all.push(run(name, 'a'))
  all.push(run('b1', 'b'), run('all1'), run('all2'))
  while (begun.length < all.length) await endOne()
  await endOne()
  await Promise.all(all)
  t.same(begun, ['first', 'a1', 'all1', 'b1', 'all2', 'a2', 'a3', 'a4'])
})

t.test('one user takes half of the line at most', async (t) => {
  const admission = new Admission({ most: 1, mostWaiting: 4, longestWaitMs: 10_000, longestWriteWaitMs: 10_000 })
  const { run, endOne } = stage(admission)
  const all = [run('in'), run('a1', 'a'), run('a2', 'a')]
  await t.rejects(run('a3', 'a'), BUSY)
  all.push(run('b1', 'b'))
  for (let n = 0; n < 4; n += 1) await endOne()
  await Promise.all(all)
})

t.test('what fails gives its place back', async (t) => {
  const admission = new Admission({ most: 1, mostWaiting: 4, longestWaitMs: 10_000, longestWriteWaitMs: 10_000 })
  const fail = async (): Promise<never> => {
    throw new Error('it failed')
  }
  await t.rejects(admission.run(fail), /it failed/)
  await t.rejects(admission.run(fail), /it failed/)
  t.match(admission.counts, { inside: 0, refused: 0 })
})

t.test('while it is closed nobody new comes in; those who wait do', async (t) => {
  let isClosed = false
  const admission = new Admission({
    most: 1,
    mostWaiting: 4,
    longestWaitMs: 10_000,
    longestWriteWaitMs: 10_000,
    isClosed: () => isClosed,
  })
  const { begun, run, endOne } = stage(admission)
  const all = [run('a'), run('b')]
  isClosed = true
  await t.rejects(run('c'), BUSY)
  await endOne()
  await endOne()
  await Promise.all(all)
  t.same(begun, ['a', 'b'])
})
