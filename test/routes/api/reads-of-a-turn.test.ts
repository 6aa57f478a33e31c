import t from 'tap'
import { startService } from '../../helpers/app.js'

const DESIGN = { filename: 'a.png', file_path: '/a.png', platform: 'etsy' }

t.test('misses of one turn are one statement, whoever asks, and each gets their own row', async (t) => {
  const statements: string[] = []
  const { app, newUser } = await startService(t, { onQuery: (name) => void statements.push(name) })
  const users = [await newUser(), await newUser(), await newUser()]
  const ids: string[][] = []
  for (const [n, user] of users.entries()) {
    const operations = Array.from({ length: 20 }, (_, row) => {
      const description = row === 0 ? 'x'.repeat(5_000) : `${n} ${row}`
      return { op: 'create', row: { ...DESIGN, description } }
    })
    const { body } = await user.post('/api/designs/bulk', { operations })
    ids.push(body.results.map(({ id }: { id: string }) => id))
    // Recognised from now on, so that all requests come as far as their row in one turn.
    await user.get('/api/users/me')
  }
  await app.cache.invalidate(users.map(({ id }) => `${id}/all`))
  for (const user of users) await user.get('/api/users/me')
  statements.length = 0
  const answers = await Promise.all(
    users.flatMap((user, n) =>
      ids[n]!.map((id, row) => user.get(`/api/designs/${id}`).then(({ body }) => ({ body, n, row }))),
    ),
  )
  for (const { body, n, row } of answers) {
    t.equal(body.description, row === 0 ? 'x'.repeat(5_000) : `${n} ${row}`)
    t.equal(body.user_id, users[n]?.id)
  }
  const reads = statements.filter((name) => name.startsWith('designs.find'))
  t.ok(reads.length <= 10, reads.join(', '))

  const [one, two] = [users[0]!, users[1]!]
  const foreign = await Promise.all([
    ...ids[1]!.map((id) => one.get(`/api/designs/${id}`)),
    ...ids[0]!.map((id) => two.get(`/api/designs/${id}`)),
    one.get('/api/designs/00000000-0000-7000-8000-000000000000'),
  ])
  t.same(new Set(foreign.map(({ status }) => status)), new Set([404]))
})
