import t from 'tap'
import { Rows, startWorld, tagOf, write } from '../../helpers/cache/replicas.js'

t.test(
  'what may have refused a write is answered as the refusal found it, and what a write did not touch is a hit',
  async (t) => {
    const { database, members } = await startWorld(t)
    const [here, elsewhere] = [members[0]!, members[1]!]
    const rows = new Rows(database)
    here.journal.isDeaf = true
    for (const name of ['a', 'b']) database.rows.set(name, 'old')
    for (const name of ['a', 'b']) await rows.read(here, name)
    await write(elsewhere, database, 'b', 'new')
    const refusal = here.cache.write([tagOf('a')], () => Promise.reject(new Error('b has changed')), {
      refusedBy: () => [tagOf('b')],
    })
    await t.rejects(refusal, /b has changed/)
    t.equal(await rows.read(here, 'b'), 'new: miss')
    t.equal(await rows.read(here, 'a'), 'old: hit in memory')

    await write(elsewhere, database, 'b', 'newest')
    await here.cache.write([tagOf('a')], () => Promise.resolve(), { refusedBy: () => [tagOf('b')] })
    const { tails } = here.journal
    t.equal(here.cache.peek('u/b')?.value, 'new', 'a write that went through says nothing of it')
    here.cache.doubt([tagOf('b')])
    t.equal(here.journal.tails, tails, 'nothing is asked before a read')
    t.equal(await rows.read(here, 'b'), 'newest: miss')
  },
)
