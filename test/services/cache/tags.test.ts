import t from 'tap'
import { TagRegistry } from '../../../services/cache/tags.js'

t.test('hearing is idempotent and commutative: only a higher version is news', async (t) => {
  const tags = new TagRegistry({ maxIdle: 10 })
  t.ok(tags.hear({ tag: 'a', version: 3 }))
  t.notOk(tags.hear({ tag: 'a', version: 3 }))
  t.notOk(tags.hear({ tag: 'a', version: 2 }))
  t.equal(tags.heardOf('a'), 3)
  t.ok(tags.hear({ tag: 'a', version: 4 }))
  t.equal(tags.heardOf('never'), 0)
})

t.test('a clear has a version of its own', async (t) => {
  const tags = new TagRegistry({ maxIdle: 10 })
  t.ok(tags.hear({ tag: '*', version: 3 }))
  t.notOk(tags.hear({ tag: '*', version: 2 }))
  t.equal(tags.clearVersion, 3)
  t.equal(tags.size, 0)
})

t.test('versions of tags that nothing depends on are bounded, and the oldest are forgotten', async (t) => {
  const tags = new TagRegistry({ maxIdle: 100 })
  for (let n = 0; n < 1_000; n++) tags.hear({ tag: `t${n}`, version: n + 1 })
  t.ok(tags.size <= 101)
  t.equal(tags.heardOf('t0'), 0)
  t.equal(tags.heardOf('t999'), 1_000)
})

t.test('a tag in use is never forgotten, however many others come', async (t) => {
  const tags = new TagRegistry({ maxIdle: 10 })
  const state = tags.state('in use')
  state.pins += 1
  tags.hear({ tag: 'in use', version: 5 })
  for (let n = 0; n < 1_000; n++) tags.hear({ tag: `t${n}`, version: n + 6 })
  t.equal(tags.heardOf('in use'), 5)
  t.equal(tags.state('in use'), state)
  state.pins -= 1
  for (let n = 0; n < 20; n++) tags.hear({ tag: `u${n}`, version: 2_000 + n })
  t.equal(tags.heardOf('in use'), 0)
})
