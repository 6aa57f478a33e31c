import t from 'tap'
import { LoadQueue } from '../../../services/resource/lists/load-queue.js'
import { deferred } from '../../helpers/cache/deferred.js'

t.test(
  'a user has two loads at once, the others in the order they came, and nobody waits for another user',
  async (t) => {
    const queue = new LoadQueue()
    const begun: string[] = []
    const [first, second] = [deferred<string>(), deferred<string>()]
    const load = (name: string, work: Promise<string>, user = 'a'): Promise<string> =>
      queue.run(user, () => {
        begun.push(name)
        return work
      })
    const loads = [
      load('1', first.promise),
      load('2', second.promise),
      load('3', Promise.resolve('3')),
      load('4', Promise.resolve('4')),
    ]
    t.equal(await load('b', Promise.resolve('b'), 'b'), 'b')
    t.same(begun, ['1', '2', 'b'])
    first.reject(new Error('no'))
    await t.rejects(Promise.all(loads.slice(0, 1)), { message: 'no' }, 'a load that fails makes room too')
    t.same(await Promise.all(loads.slice(2)), ['3', '4'])
    t.same(begun, ['1', '2', 'b', '3', '4'])
    second.resolve('2')
    t.equal(await loads[1], '2')
  },
)

t.test('too many that wait are refused, until there is room', async (t) => {
  const queue = new LoadQueue()
  const held = deferred<string>()
  const all = Array.from({ length: 52 }, () => queue.run('a', () => held.promise))
  await t.rejects(
    queue.run('a', () => held.promise),
    { code: 'TOO_MANY_READS', statusCode: 429 },
  )
  held.resolve('done')
  t.equal(new Set(await Promise.all(all)).size, 1)
  t.equal(await queue.run('a', async () => 'again'), 'again')
})

t.test('who waits for too long is refused, and takes no place; who has it keeps it', async (t) => {
  const queue = new LoadQueue({ mostAtOnce: 1, longestWaitMs: 50 })
  const held = deferred<string>()
  const first = queue.run('a', () => held.promise)
  const late = ['2', '3'].map((name) => queue.run('a', async () => name))
  for (const one of late) await t.rejects(one, { code: 'DATABASE_UNAVAILABLE' })
  const next = queue.run('a', async () => 'next')
  held.resolve('first')
  t.same(await Promise.all([first, next]), ['first', 'next'])
  t.equal(await queue.run('a', async () => 'again'), 'again')
})

t.test('work is told when its waiting began', async (t) => {
  const queue = new LoadQueue({ mostAtOnce: 1 })
  const held = deferred<number>()
  const first = queue.run('a', () => held.promise)
  const asked = performance.now()
  const second = queue.run('a', async (since) => since)
  await new Promise((resolve) => setTimeout(resolve, 30))
  held.resolve(0)
  await first
  t.ok((await second) - asked < 20, 'not when its turn came')
})
