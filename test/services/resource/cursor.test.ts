import fc from 'fast-check'
import t from 'tap'
import { decodeCursor, encodeCursor } from '../../../services/resource/cursor.js'

t.test('a cursor holds the id it was made from', async (t) => {
  fc.assert(fc.property(fc.uuid(), (id) => decodeCursor(encodeCursor(id)) === id))
  t.equal(encodeCursor('01a2069f-4382-76fe-94e2-50d41d9cb575'), 'AaIGn0OCdv6U4lDUHZy1dQ')
})

t.test('any other text is refused', async (t) => {
  for (const text of [
    '',
    'x',
    'A'.repeat(21),
    'A'.repeat(23),
    `${'A'.repeat(21)}B`,
    `${'A'.repeat(22)}==`,
    '%'.repeat(22),
  ]) {
    t.throws(() => decodeCursor(text), { code: 'INVALID_CURSOR', statusCode: 400 }, text)
  }
})
