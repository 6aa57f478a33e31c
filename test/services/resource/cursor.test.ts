import fc from 'fast-check'
import t from 'tap'
import { decodeCursor, encodeCursor } from '../../../services/resource/lists/cursor.js'

const LIST = 'a/designs'

t.test('a cursor holds the id it was made from', async (t) => {
  fc.assert(fc.property(fc.string(), fc.uuid(), (list, id) => decodeCursor(list, encodeCursor(list, id)) === id))
  t.match(encodeCursor(LIST, '01a2069f-4382-76fe-94e2-50d41d9cb575'), /^AaIGn0OCdv6U4lDUHZy1dQ[0-9a-z]{7}$/)
})

t.test('a cursor of another list is none', async (t) => {
  const cursor = encodeCursor(LIST, '01a2069f-4382-76fe-94e2-50d41d9cb575')
  for (const other of ['b/designs', 'a/templates', 'a/designs?platform=etsy', '', 'a/design']) {
    t.throws(() => decodeCursor(other, cursor), { code: 'INVALID_CURSOR', statusCode: 400 }, other)
  }
})

t.test('any other text is refused', async (t) => {
  const good = encodeCursor(LIST, '01a2069f-4382-76fe-94e2-50d41d9cb575')
  for (const text of [
    '',
    'x',
    'A'.repeat(21),
    'A'.repeat(22),
    'A'.repeat(29),
    good.slice(0, -1),
    `${good}x`,
    `${good.slice(0, 21)}B${good.slice(22)}`,
    '%'.repeat(29),
  ]) {
    t.throws(() => decodeCursor(LIST, text), { code: 'INVALID_CURSOR', statusCode: 400 }, text)
  }
})
