import t from 'tap'
import { encodeCursor } from '../../../services/resource/cursor.js'
import { cutPage, filtersOf, selectionOf } from '../../../services/resource/list-query.js'
import { schemasOf } from '../../../services/resource/schema.js'

const ID = '01a2069f-4382-76fe-94e2-50d41d9cb575'

const filters = filtersOf({
  name: 'things',
  kind: 'thing',
  schemas: schemasOf({}, {}),
  columns: { tags: 'text[]', parent_id: 'uuid', is_big: 'boolean' },
  filters: { tag: 'tags', parent: 'parent_id', is_big: 'is_big' },
})

t.test('the canonical query has sorted keys, the default limit and one spelling per value', async (t) => {
  t.equal(selectionOf(filters, {}).canonical, 'limit=50')
  const query = { tag: 'a&b=c', parent: ID.toUpperCase(), is_big: false, cursor: encodeCursor(ID) }
  const expected = `cursor=${encodeCursor(ID)}&is_big=false&limit=50&parent=${ID}&tag=a%26b%3Dc`
  t.equal(selectionOf(filters, query).canonical, expected)
})

t.test('only declared filters count', async (t) => {
  t.equal(selectionOf(filters, { colour: 'red' }).filters.length, 0)
})

t.test('a page names the next one only when a row was left over', async (t) => {
  const rows = [{ id: ID }, { id: ID }, { id: ID }]
  t.same(cutPage(rows, 3), [rows, null])
  t.same(cutPage(rows, 2), [rows.slice(0, 2), encodeCursor(ID)])
  t.same(cutPage([], 2), [[], null])
})
