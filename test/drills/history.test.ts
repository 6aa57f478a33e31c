import t from 'tap'
import { DocumentHistory } from './history.js'

const made = (): DocumentHistory => new DocumentHistory('d', 0, { version: 1, counter: 'a' })

t.test('an answer is as stale as the oldest acknowledged write that it misses', (t) => {
  const history = made()
  history.acknowledge(1_000, { version: 2, counter: 'b' })
  history.acknowledge(1_500, { version: 3, counter: 'c' })
  t.equal(history.stalenessMs({ version: 1, counter: 'a' }, 2_100), 1_100)
  t.equal(history.stalenessMs({ version: 2, counter: 'b' }, 2_100), 600)
  t.equal(history.stalenessMs({ version: 3, counter: 'c' }, 2_100), 0)
  t.equal(history.stalenessMs({ version: 1, counter: 'a' }, 900), 0, 'acknowledged after the read began')
  t.end()
})

t.test('acknowledgements that arrive in another order than the commits count from the first that told of it', (t) => {
  const history = made()
  history.acknowledge(1_000, { version: 3, counter: 'c' })
  history.acknowledge(1_200, { version: 2, counter: 'b' })
  t.equal(history.stalenessMs({ version: 2, counter: 'b' }, 1_300), 300)
  t.end()
})

t.test('a write of unknown outcome may show and need not, and is told from the next one', (t) => {
  const history = made()
  history.sent('lost')
  history.sent('c')
  history.acknowledge(1_000, { version: 3, counter: 'c' })
  t.equal(history.flaw({ version: 2, counter: 'lost' }), undefined)
  t.equal(history.stalenessMs({ version: 2, counter: 'lost' }, 1_100), 100, 'but a later acknowledged one must')
  t.match(history.flaw({ version: 3, counter: 'lost' }), 'mixed')
  t.match(history.flaw({ version: 4, counter: 'never sent' }), 'invented')
  history.sent('refused')
  history.refused('refused')
  t.match(history.flaw({ version: 4, counter: 'refused' }), 'invented')
  t.end()
})

t.test('a row may be absent once its deletion was sent, and must be once it was acknowledged', (t) => {
  const history = made()
  t.equal(history.stalenessMs(undefined, 2_000), 2_000, 'absent although nobody deleted it')
  history.deletionSent()
  t.equal(history.stalenessMs(undefined, 2_000), 0)
  t.equal(history.stalenessMs({ version: 1, counter: 'a' }, 2_000), 0)
  history.acknowledgeDeletion(2_500)
  t.equal(history.stalenessMs({ version: 1, counter: 'a' }, 4_000), 1_500)
  t.equal(history.stalenessMs(undefined, 4_000), 0)
  t.end()
})
