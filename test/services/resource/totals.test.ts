import t from 'tap'
import type { Queryable } from '../../../services/database/index.js'
import { designs } from '../../../services/designs/definition.js'
import { listName } from '../../../services/resource/addresses.js'
import { listsOf, type ListQuery, selectionOf } from '../../../services/resource/lists/list-query.js'
import { ResourceRows } from '../../../services/resource/sql/rows.js'
import { startService } from '../../helpers/app.js'

t.test('a total is never less than what its page shows, whatever changes while it is read', async (t) => {
  const { app, newUser } = await startService(t)
  const user = await newUser()
  const rows = new ResourceRows(designs, app.db.kind)
  const list = async (query: ListQuery) => {
    const operations = Array.from({ length: 3 }, (_, n) => ({
      op: 'upsert',
      external_id: `${n}`,
      row: { filename: 'a.png', file_path: '/a.png', platform: 'etsy', tags: ['a'] },
    }))
    await user.post('/api/designs/bulk', { operations })
    const goneBefore: Queryable = {
      async query(statement) {
        if (statement.name === 'designs.list-count')
          for (const n of [0, 1]) await user.delete(`/api/designs/by-external-id/${n}`)
        return app.db.query(statement)
      },
    }
    const selection = selectionOf(listName('designs', user.id), listsOf(designs), { ...query, total: true })
    const { ids, nextCursor, total } = await rows.list(goneBefore, user.id, selection)
    return { shown: ids.length, isCut: nextCursor !== null, total }
  }

  for (const query of [{}, { sort: 'name' }, { tag: ['a'] }]) {
    const name = JSON.stringify(query)
    const whole = { shown: 3, isCut: false, total: { total: 3, isExact: true } }
    t.same(await list({ ...query, limit: 3 }), whole, `${name}: all of it`)
    const cut = { shown: 2, isCut: true, total: { total: 3, isExact: true } }
    t.same(await list({ ...query, limit: 2 }), cut, `${name}: the first page`)
  }
})
