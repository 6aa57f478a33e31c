import t from 'tap'
import type { Queryable } from '../../../services/database/index.js'
import { importBegins, isWrittenSince } from '../../../services/resource/import/since.js'
import { startService } from '../../helpers/app.js'
import { sharedPostgres } from '../../helpers/servers/shared-servers.js'

t.test('what was written since is told by its transaction, also beside one that is under way', async (t) => {
  const postgres = await sharedPostgres(t)
  const { app, newUser } = await startService(t, { env: { DATABASE_URL: await postgres.serviceDatabase() } })
  const user = await newUser()
  const design = (filename: string): Promise<unknown> =>
    user.post('/api/designs', { filename, file_path: '/', platform: 'etsy' })
  await design('before')
  const since = await importBegins(app.db)
  const newIn = async (db: Queryable, xid: string | null): Promise<string[]> => {
    const text = `select filename from designs where ${isWrittenSince('designs', '$1')} order by filename`
    const rows = await db.query<{ filename: string }>({ name: 'test.since', text, values: [xid] })
    return rows.map(({ filename }) => filename)
  }
  t.same(await newIn(app.db, since?.xid ?? null), [])
  await design('between')
  await app.db.transaction(async (transaction) => {
    await transaction.query({ name: 'test.write', text: `update designs set tags = '{x}' where filename = 'between'` })
    t.same(await newIn(transaction, since?.xid ?? null), ['between'], 'by itself')
    await design('beside')
    t.same(await newIn(transaction, since?.xid ?? null), ['beside', 'between'])
  })
  t.same(await newIn(app.db, since?.xid ?? null), ['beside', 'between'])
  t.same(await newIn(app.db, null), [])
})
