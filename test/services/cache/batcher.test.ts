import t from 'tap'
import { Batcher } from '../../../services/cache/batcher.js'

function setUp({ most = 3 } = {}) {
  const sent: string[][] = []
  let ends: (() => void)[] = []
  const batcher = new Batcher<string, string>({
    most,
    endOfTurn: (work) => ends.push(work),
    async send(items) {
      sent.push([...items])
      if (items.includes('bad')) throw new Error('refused')
      return items.map((item) => item.toUpperCase())
    },
  })
  const endTurn = (): void => {
    const due = ends
    ends = []
    for (const end of due) end()
  }
  return { batcher, sent, endTurn, turns: () => ends.length }
}

t.test('what is asked in one turn is sent together, and each gets its own answer', async (t) => {
  const { batcher, sent, endTurn } = setUp()
  const asked = [batcher.ask('a'), batcher.ask('b')]
  t.same(sent, [])
  endTurn()
  t.same(sent, [['a', 'b']])
  t.same(await Promise.all(asked), ['A', 'B'])
  const next = batcher.ask('c')
  endTurn()
  t.same(sent.slice(1), [['c']])
  t.equal(await next, 'C')
})

t.test('a full batch leaves at once, and the end of the turn sends the rest', async (t) => {
  const { batcher, sent, endTurn } = setUp()
  const asked = ['a', 'b', 'c', 'd'].map((item) => batcher.ask(item))
  t.same(sent, [['a', 'b', 'c']])
  endTurn()
  t.same(sent.slice(1), [['d']])
  t.same(await Promise.all(asked), ['A', 'B', 'C', 'D'])
  const full = ['a', 'b', 'c'].map((item) => batcher.ask(item))
  endTurn()
  t.equal(sent.length, 3, 'nothing is sent for an empty one')
  await Promise.all(full)
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
