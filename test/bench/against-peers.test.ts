import t from 'tap'
import { againstPeers } from '../../bench/harness/against-peers.js'
import type { Row, Table } from '../../bench/harness/benchmark.js'

function row(name: string, value: number, unit: string): Row {
  return { name, unit, value: { median: value, min: value, max: value } }
}

function lines(...tables: readonly Table[]): readonly string[] {
  return (
    againstPeers([{ name: 'some', tables }])
      ?.split('\n')
      .slice(2) ?? []
  )
}

t.test('a line for each work says who is ahead, and why', async (t) => {
  const rates = [row('roundhouse', 100, '/s'), row('floor', 200, '/s'), row('bentocache', 90, '/s')]
  const ahead = { title: 'one', floor: 'floor', rows: [...rates, row('cacheable', 101, '/s')] }
  t.same(
    lines(ahead),
    ['| some: one | 100 /s | 200 /s |  |  | 90 /s | 101 /s |  |  | ahead |'],
    'a hundredth is no difference',
  )
  const behind = { title: 'two', rows: [...rates, row('layered-loader', 110, '/s')], whyBehind: 'it asks nobody' }
  t.match(lines(behind)[0], /\| behind layered-loader: it asks nobody \|$/)
  const times = {
    title: 'three',
    rows: [row('roundhouse, first', 5, 'ms'), row('cachified', 4, 'ms'), row('bentocache', 6, 'ms')],
  }
  t.match(lines(times)[0], /\| behind cachified: /, 'of times less is better')
})

t.test('what no other cache took part in is no line', async (t) => {
  t.equal(againstPeers([{ name: 'some', tables: [{ title: 'x', rows: [row('roundhouse', 1, '/s')] }] }]), undefined)
})
