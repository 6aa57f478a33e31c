import fc from 'fast-check'
import t from 'tap'
import { EVERYTHING } from '../../../../services/cache/core/heard.js'
import { Hints } from '../../../../services/cache/core/hints.js'

/** The tags of `from` up to `to`. */
function tags(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, n) => `tag ${from + n}`)
}

t.test('a tag is in doubt until a tail that began after its last hint has succeeded, whatever happens', async (t) => {
  const happening = fc.oneof(
    fc.record({ is: fc.constant('hint' as const), tag: fc.constantFrom('a', 'b', 'c', EVERYTHING) }),
    fc.record({ is: fc.constantFrom('begin' as const, 'succeed' as const, 'fail' as const) }),
  )
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 30 }), (happenings) => {
      const hints = new Hints()
      const hintedAt = new Map<string, number>()
      let beganAt: number | undefined
      happenings.forEach((event, now) => {
        if (event.is === 'hint') {
          hints.add([event.tag])
          hintedAt.set(event.tag, now)
        } else if (event.is === 'begin' && beganAt === undefined) {
          hints.tailBegan()
          beganAt = now
        } else if (event.is !== 'begin' && beganAt !== undefined) {
          hints.tailEnded({ hasFailed: event.is === 'fail' })
          const answered = event.is === 'succeed' ? beganAt : -1
          for (const [tag, at] of hintedAt) if (at < answered) hintedAt.delete(tag)
          beganAt = undefined
        }
        if (hints.isEmpty !== (hintedAt.size === 0)) throw new Error('isEmpty')
        for (const tag of ['a', 'b', 'c', 'd']) {
          if (hints.has([tag]) !== (hintedAt.has(tag) || hintedAt.has(EVERYTHING))) throw new Error(`has ${tag}`)
        }
      })
    }),
    { numRuns: 3_000 },
  )
  t.pass()
})

t.test('ten thousand tags are told apart, one more and everything is in doubt', async (t) => {
  for (const isLate of [false, true]) {
    const hints = new Hints()
    if (isLate) hints.tailBegan()
    hints.add(tags(0, 10_000))
    t.ok(hints.has(['x', 'tag 9999']))
    t.notOk(hints.has(['x', 'tag 10000']))
    hints.add(['tag 10000'])
    t.ok(hints.has(['x']))
    t.ok(hints.has(['tag 0']))
  }
})

t.test('those of two tails overflow together when the first one failed', async (t) => {
  const hints = new Hints()
  hints.add(tags(0, 6_000))
  hints.tailBegan()
  hints.add(tags(6_000, 12_000))
  t.notOk(hints.has(['x']))
  hints.tailEnded({ hasFailed: true })
  t.ok(hints.has(['x']), '12,000')
  hints.tailBegan()
  hints.tailEnded({ hasFailed: false })
  t.ok(hints.isEmpty)
})

t.test('after everything was in doubt and has been answered, tags are told apart again', async (t) => {
  const hints = new Hints()
  hints.add([EVERYTHING])
  hints.tailBegan()
  hints.add(['a'])
  t.ok(hints.has(['x']))
  hints.tailEnded({ hasFailed: false })
  t.ok(hints.has(['a']))
  t.notOk(hints.has(['x']))
})

t.test('everything in doubt during a tail that fails, once and again, stays in doubt', async (t) => {
  const hints = new Hints()
  hints.tailBegan()
  hints.add([EVERYTHING])
  for (let n = 0; n < 3; n++) {
    hints.tailEnded({ hasFailed: true })
    t.ok(hints.has(['x']))
    hints.tailBegan()
    hints.add([`tag ${n}`])
  }
  hints.tailEnded({ hasFailed: false })
  t.notOk(hints.has(['x', 'tag 1']), 'answered')
  t.ok(hints.has(['tag 2']), 'this one came during the tail')
})

t.test('no tags are in no doubt', async (t) => {
  const hints = new Hints()
  hints.add([])
  hints.add(new Set<string>())
  t.ok(hints.isEmpty)
  t.notOk(hints.has([]))
  hints.add(['a'])
  t.notOk(hints.has([]))
})
