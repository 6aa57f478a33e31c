import t from 'tap'
import { encodeCursor } from '../../../services/resource/lists/cursor.js'
import { cutPage, listsOf, selectionOf } from '../../../services/resource/lists/list-query.js'
import { schemasOf } from '../../../services/resource/schema.js'
import { packUuid } from '../../../services/uuid-text.js'

const ID = '01a2069f-4382-76fe-94e2-50d41d9cb575'
const TAG = 'user/things'
const LIST = `${TAG}?tag=a%26b%3Dc&parent=${ID}&is_big=false`

const lists = listsOf({
  name: 'things',
  kind: 'thing',
  schemas: schemasOf({}, {}),
  columns: { tags: 'text[]', parent_id: 'uuid', is_big: 'boolean' },
  filters: { tag: 'tags', parent: 'parent_id', is_big: 'is_big' },
})

t.test('the canonical query has sorted keys, the default limit and one spelling per value', async (t) => {
  t.equal(selectionOf(TAG, lists, {}).canonical, 'limit=50')
  const query = { tag: 'a&b=c', parent: ID.toUpperCase(), is_big: false, cursor: encodeCursor(LIST, ID) }
  const expected = `cursor=${packUuid(ID)}&is_big=false&limit=50&parent=${ID}&tag=a%26b%3Dc`
  t.equal(selectionOf(TAG, lists, query).canonical, expected)
})

t.test('only declared filters count', async (t) => {
  t.equal(selectionOf(TAG, lists, { colour: 'red' }).matches.length, 0)
})

t.test('a page names the next one only when a row was left over', async (t) => {
  const rows = [{ id: ID }, { id: ID }, { id: ID }]
  t.same(cutPage(rows, 3, TAG), [rows, null])
  t.same(cutPage(rows, 2, TAG), [rows.slice(0, 2), encodeCursor(TAG, ID)])
  t.same(cutPage([], 2, TAG), [[], null])
})
