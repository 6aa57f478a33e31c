import t from 'tap'
import { Pace } from '../../services/pace.js'

const [IN_TIME, LATE] = [2, 20]

t.test('a loop that is late by its own work lets fewer in, and step by step more once it is in time', async (t) => {
  const pace = new Pace()
  t.equal(pace.share, 1)
  pace.tick(IN_TIME, 1)
  t.equal(pace.share, 1, 'never more than all')
  for (let n = 0; n < 5; n += 1) pace.tick(LATE, 0.9)
  t.ok(pace.share < 0.01, `${pace.share}`)
  pace.tick(IN_TIME, 1)
  t.ok(pace.share > 0.02 && pace.share < 0.05, `${pace.share}`)
  for (let n = 0; n < 40; n += 1) pace.tick(IN_TIME, 1)
  t.equal(pace.share, 1)
})

t.test('a process that had no core is late and lets in as many as before', async (t) => {
  const pace = new Pace()
  for (let n = 0; n < 5; n += 1) pace.tick(LATE, 0.3)
  t.equal(pace.share, 1)
})

t.test('one long pause costs no more than a few late turns', async (t) => {
  const pace = new Pace()
  pace.tick(5_000, 1)
  t.ok(pace.share > 0.3, `${pace.share}`)
  const turns = new Pace()
  for (let n = 0; n < 4; n += 1) turns.tick(LATE / 4, 1)
  t.equal(turns.share, 1, 'a little is in time')
})
