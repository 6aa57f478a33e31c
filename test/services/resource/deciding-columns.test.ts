import t from 'tap'
import { resources } from '../../../services/domains.js'
import { DecidingColumns } from '../../../services/resource/lists/deciding-columns.js'
import { listsOf, selectionOf } from '../../../services/resource/lists/list-query.js'

const THINGS = {
  filters: { shop: 'shop_id', tag: 'tags' },
  search: ['name', 'note'],
  sorts: { name: 'name', rank: 'rank' },
}

t.test('which columns decide about a list follows from its query', async (t) => {
  const deciding = new DecidingColumns(THINGS)
  const ofQuery = {
    'limit=50': [],
    'cursor=x&limit=1&sort=created&total=true': [],
    'limit=50&sort=-updated': ['updated_at'],
    'limit=50&updated_since=2026': ['updated_at'],
    'limit=50&shop=1&sort=-name': ['shop_id', 'name'],
    'any_tag=a,b&limit=50&tag=c': ['tags'],
    'limit=50&q=a%3Db%26c': ['name', 'note'],
    'external_id=x&limit=50': ['external_id'],
    'limit=50&something=new': ['updated_at'],
  }
  for (const [query, columns] of Object.entries(ofQuery)) t.same(deciding.ofQuery(query), columns, query)
  t.same(deciding.all, ['external_id', 'name', 'note', 'rank', 'shop_id', 'tags', 'updated_at'])
  t.same(new DecidingColumns({}).all, ['external_id', 'updated_at'])
})

t.test('every filter, order and search of every resource is known, and has the tag of its columns', async (t) => {
  for (const definition of resources) {
    const { filters, name, sorts = {}, search = [] } = definition
    const deciding = new DecidingColumns(definition)
    const ofQuery = (query: Record<string, string>): readonly string[] =>
      deciding.ofQuery(selectionOf('x', listsOf(definition), query).canonical)
    for (const [field, column] of Object.entries(filters))
      t.same(ofQuery({ [field]: 'a' }), [column], `${name} ${field}`)
    for (const [word, column] of Object.entries(sorts))
      t.same(ofQuery({ sort: `-${word}` }), [column], `${name} ${word}`)
    t.same(ofQuery({ q: 'a&tag=b' }), search)
    t.same(ofQuery({ total: 'x', limit: 'x' }), [])
  }
})
