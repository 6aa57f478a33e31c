import t from 'tap'
import { Rows, startWorld, tagOf } from '../../../helpers/cache/replicas.js'

t.test('a writer that dies between its commit and its announcement is heard of all the same', async (t) => {
  const { database, members, clock } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(reader, 'a')
  database.change([tagOf('a')], { a: 'new' })
  await writer.cache.close()
  await clock.advance(334)
  t.equal(await rows.read(reader, 'a'), 'new: miss')
})

t.test('a write whose answer was lost may have been committed: its tags are in doubt here', async (t) => {
  const { database, members } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(only, 'a')
  const writing = only.cache.write([tagOf('a')], async () => {
    database.change([tagOf('a')], { a: 'new' })
    throw new Error('the connection broke at COMMIT')
  })
  await t.rejects(writing, /broke at COMMIT/)
  t.equal(await rows.read(only, 'a'), 'new: miss')
})
