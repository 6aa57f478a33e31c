import t, { type Test } from 'tap'
import { cachedTables } from '../../../services/cache-map.js'
import { resources } from '../../../services/domains.js'
import { exampleOf } from '../../../services/openapi/example.js'
import { listTag, ownerTag, ResourceAddresses } from '../../../services/resource/addresses.js'
import { profileEntry, tokenEntry } from '../../../services/users/addresses.js'
import { type Caller, startService } from '../../helpers/app.js'

const USER = '01a2069f-4382-76fe-94e2-50d41d9cb575'
const ID = '01a2069f-0000-7000-8000-000000000000'

/** One row of each resource: what its definition requires, and references to the rows before it. */
async function addRowOfEach(t: Test, user: Caller): Promise<void> {
  const ids = new Map<string, string>()
  for (const { name, schemas, columns, references = {}, example } of resources) {
    const { required = [], properties } = schemas.creation
    const body = Object.fromEntries([
      ...required.map((field) => [field, exampleOf(properties[field] ?? {}, field, example)]),
      ...Object.entries(references).map(([column, { to }]) => {
        return [column, columns[column] === 'uuid[]' ? [ids.get(to)] : ids.get(to)]
      }),
    ])
    const created = await user.post(`/api/${name}`, body)
    t.match(created, { status: 201 }, `${name} take ${JSON.stringify(body)}`)
    ids.set(name, created.body.id)
  }
}

t.test('everything of a user carries the owner’s tag: documents, lists, the profile and tokens', async (t) => {
  for (const definition of resources) {
    const addresses = new ResourceAddresses(definition)
    for (const { key, tags } of [addresses.document(USER, ID), addresses.list(USER, 'limit=20')]) {
      t.ok(tags.includes(ownerTag(USER)), key)
    }
  }
  for (const { key, tags } of [profileEntry(USER), tokenEntry(USER, 'h'), tokenEntry(USER, 'h', { isProven: false })]) {
    t.ok(tags.includes(ownerTag(USER)), key)
  }
  for (const { table, owner } of cachedTables) {
    t.equal(owner, ownerTag(table === 'users' ? '{id}' : '{user_id}'), `${table} raises it`)
  }
})

t.test(
  'a statement that changes more than fifty rows raises the owner’s tag alone, and every list shows it',
  async (t) => {
    const { app, newUser } = await startService(t)
    const user = await newUser()
    await addRowOfEach(t, user)
    const run = (text: string) => app.db.query({ name: 'test', text, values: [user.id] })
    for (const { name, columns: all } of resources) {
      // No two rows of a user have one external_id.
      const columns = Object.keys(all)
        .filter((column) => column !== 'external_id')
        .join(', ')
      const url = `/api/${name}?limit=100`
      t.equal((await user.get(url)).body.items.length, 1)
      await run(`insert into ${name} (id, user_id, ${columns}) select gen_random_uuid(), $1::uuid, ${columns} from ${name},
      generate_series(1, 60) where user_id = $1::uuid`)
      // Reads the journal, since nobody has told this replica.
      const settle = () => app.cache.waitFor({ transaction: 0, isOfThisHistory: false })
      await settle()
      t.equal((await user.get(url)).body.items.length, 61)
      t.match((await user.get(url)).headers['cache-status'], 'detail=memory')
      await run(`delete from ${name} where user_id = $1::uuid and id in (
      select id from ${name} where user_id = $1::uuid order by created_at desc, id desc limit 60)`)
      await settle()
      const [raised] = await app.db.query<{ tags: string[] }>({
        name: 'test.raised',
        text: 'select tags from cache_journal order by changed_in desc limit 1',
      })
      t.ok(raised?.tags.includes(ownerTag(user.id)), 'instead of the list’s')
      t.notOk(raised?.tags.includes(listTag(name, user.id)))
      t.equal((await user.get(url)).body.items.length, 1, name)
    }
  },
)
