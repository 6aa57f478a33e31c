import t from 'tap'
import { mapInTurns, ownTurn } from '../../../services/documents/own-turn.js'

t.test('each has a turn of the event loop, and others are served between two of them', async (t) => {
  const order: string[] = []
  const serve = (left: number): void => {
    order.push('served')
    if (left > 1) setImmediate(serve, left - 1)
  }
  setImmediate(serve, 4)
  await Promise.all([1, 2, 3].map((n) => ownTurn().then(() => order.push(`large ${n}`))))
  for (const n of [1, 2]) {
    const [from, to] = [order.indexOf(`large ${n}`), order.indexOf(`large ${n + 1}`)]
    t.ok(from >= 0 && order.slice(from + 1, to).includes('served'), order.join(', '))
  }
})

t.test('many items are worked on in several turns, in their order', async (t) => {
  let turns = 0
  let isOver = false
  const serve = (): void => {
    turns += 1
    if (!isOver) setImmediate(serve)
  }
  setImmediate(serve)
  const items = Array.from({ length: 1_000 }, (_, n) => n)
  t.same(
    await mapInTurns(items, (n) => n + 1),
    items.map((n) => n + 1),
  )
  isOver = true
  t.ok(turns >= 19, `${turns} turns`)
})
