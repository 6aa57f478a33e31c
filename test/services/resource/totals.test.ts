import t from 'tap'
import type { Queryable } from '../../../services/database/index.js'
import { designs } from '../../../services/designs/definition.js'
import { listName } from '../../../services/resource/addresses.js'
import { listsOf, type ListQuery, selectionOf } from '../../../services/resource/lists/list-query.js'
import { ResourceRows } from '../../../services/resource/sql/rows.js'
import { startService } from '../../helpers/app.js'

const ROW = { filename: 'a.png', file_path: '/a.png', platform: 'etsy', tags: ['a'] }

t.test('a total fits what its page shows, whatever changes while it is read', async (t) => {
  const { app, newUser } = await startService(t)
  const user = await newUser()
  const rows = new ResourceRows(designs, app.db.kind)
  const at = (n: number): string => `/api/designs/by-external-id/${n}`
  const goes = () => Promise.all([0, 1].map((n) => user.delete(at(n))))
  const comes = () => user.put(at(3), ROW)
  /** Of three rows, two of which go, or beside which another one comes, before they are counted. */
  const list = async (query: ListQuery, change: () => Promise<unknown>) => {
    await user.delete(at(3))
    for (const n of [0, 1, 2]) await user.put(at(n), ROW)
    const changedBefore: Queryable = {
      async query(statement) {
        if (statement.name === 'designs.list-count') await change()
        return app.db.query(statement)
      },
    }
    const selection = selectionOf(listName('designs', user.id), listsOf(designs), { ...query, total: true })
    const { ids, nextCursor, total } = await rows.list(changedBefore, user.id, selection)
    return { shown: ids.length, isCut: nextCursor !== null, total: total?.total, isExact: total?.isExact }
  }

  for (const query of [{}, { sort: 'name' }, { tag: ['a'] }]) {
    const name = JSON.stringify(query)
    const whole = { shown: 3, isCut: false, total: 3, isExact: true }
    const cut = { shown: 2, isCut: true, total: 3, isExact: true }
    t.same(await list({ ...query, limit: 3 }, goes), whole, `${name}: all of it`)
    t.same(await list({ ...query, limit: 3 }, comes), whole, `${name}: all of it, and another one comes`)
    t.same(await list({ ...query, limit: 2 }, goes), cut, `${name}: the first page`)
    t.same(await list({ ...query, limit: 2 }, comes), { ...cut, total: 4 }, `${name}: another one comes`)
  }
})
