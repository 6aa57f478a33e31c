import t from 'tap'
import { Batcher } from '../../../services/cache/batcher.js'
import { type Deferred, deferred } from '../../helpers/cache/deferred.js'

function setUp({ most = 3 } = {}) {
  const sent: string[][] = []
  let ends: (() => void)[] = []
  let held: Deferred<void> | undefined
  const batcher = new Batcher<string, string>({
    most,
    endOfTurn: (work) => ends.push(work),
    async send(items) {
      sent.push([...items])
      await held?.promise
      if (items.includes('bad')) throw new Error('refused')
      return items.map((item) => item.toUpperCase())
    },
  })
  const endTurn = (): void => {
    const due = ends
    ends = []
    for (const end of due) end()
  }
  const hold = (): void => void (held = deferred())
  const release = (): void => held?.resolve()
  return { batcher, sent, endTurn, turns: () => ends.length, hold, release }
}

t.test('while no answer is awaited a batch leaves with the microtasks that asked for it', async (t) => {
  const { batcher, sent, turns } = setUp()
  const asked = [batcher.ask('a'), batcher.ask('b')]
  t.same(sent, [])
  t.same(await Promise.all(asked), ['A', 'B'])
  t.same(sent, [['a', 'b']])
  t.equal(await batcher.ask('c'), 'C', 'and so does the next one')
  t.equal(turns(), 0)
})

t.test('while one is awaited, what is asked in one turn is sent together, and each gets its own answer', async (t) => {
  const { batcher, sent, endTurn, hold, release } = setUp()
  hold()
  const first = batcher.ask('a')
  await Promise.resolve()
  const asked = [batcher.ask('b'), batcher.ask('c')]
  await Promise.resolve()
  t.same(sent, [['a']])
  endTurn()
  t.same(sent, [['a'], ['b', 'c']])
  release()
  t.same(await Promise.all([first, ...asked]), ['A', 'B', 'C'])
})

t.test('a full batch leaves at once, and the rest after it', async (t) => {
  const { batcher, sent, endTurn } = setUp()
  const asked = ['a', 'b', 'c', 'd'].map((item) => batcher.ask(item))
  t.same(sent, [['a', 'b', 'c']])
  await Promise.resolve()
  endTurn()
  t.same(sent.slice(1), [['d']])
  t.same(await Promise.all(asked), ['A', 'B', 'C', 'D'])
  const full = ['a', 'b', 'c'].map((item) => batcher.ask(item))
  await Promise.all(full)
  endTurn()
  t.equal(sent.length, 3, 'nothing is sent for an empty one')
})

t.test('a failure is for everybody in the batch, and for nobody else', async (t) => {
  const { batcher, endTurn } = setUp()
  const asked = [batcher.ask('a'), batcher.ask('bad')]
  endTurn()
  for (const one of asked) await t.rejects(one, /refused/)
  const next = batcher.ask('b')
  endTurn()
  t.equal(await next, 'B')
})
