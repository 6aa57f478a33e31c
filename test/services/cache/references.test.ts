import t from 'tap'
import type { EntryOptions } from '../../../services/cache/index.js'
import { deferred } from '../../helpers/cache/deferred.js'
import { drain } from '../../helpers/cache/fake-clock.js'
import { entry, type Member, startWorld, words } from '../../helpers/cache/replicas.js'

/** What an entry refers to is known from its load alone. */
const REFERRED = 'u/things/referred'

function referring(name: string): { readonly key: string; readonly options: EntryOptions<string> } {
  const { key, tags, ...policy } = entry(name)
  return { key, options: { ...policy, tags, tagsOf: () => [REFERRED] } }
}

async function read({ cache }: Member, name: string, load: () => Promise<string>): Promise<string> {
  const { key, options } = referring(name)
  return words(await cache.getOrLoad(key, options, load))
}

t.test('who has written what an entry in its memory refers to does not answer with it', async (t) => {
  const { members, database } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  await read(only, 'a', async () => 'old')
  await only.cache.write([REFERRED], async () => database.change([REFERRED]))
  t.equal(only.cache.peek(referring('a').key), undefined)
  t.equal(await read(only, 'a', async () => 'new'), 'new: miss')
})

t.test('nor does it take from Redis one that refers to what it has written', async (t) => {
  const { members, database } = await startWorld(t)
  const [writer, other] = [members[0]!, members[1]!]
  await read(other, 'a', async () => 'old')
  await writer.cache.write([REFERRED], async () => database.change([REFERRED]))
  t.equal(await read(writer, 'a', async () => 'new'), 'new: miss')
  const { key, options } = referring('b')
  await read(other, 'b', async () => 'old')
  await writer.cache.write([REFERRED], async () => database.change([REFERRED]))
  t.equal(await writer.cache.get(key, options), undefined, 'nor when it only looks')
})

t.test('nor does it share a load of one that began before the write', async (t) => {
  const { members, database } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const held = deferred()
  const early = read(only, 'a', async () => {
    await held.promise
    return 'old'
  })
  await drain()
  await only.cache.write([REFERRED], async () => database.change([REFERRED]))
  const late = read(only, 'a', async () => 'new')
  await drain()
  held.resolve()
  t.equal(await early, 'old: miss')
  t.match(await late, /^new: /)
})

t.test('nor does it share such a load when memory has no room for what was loaded', async (t) => {
  const { members, database } = await startWorld(t, { replicas: 1, options: { maxBytes: 100 } })
  const only = members[0]!
  const { key, ...plain } = entry('a')
  const options = { ...plain, tagsOf: () => [REFERRED] }
  const held = deferred()
  const early = only.cache.getOrLoad(key, options, async () => {
    await held.promise
    return 'old'
  })
  await drain()
  await only.cache.write([REFERRED], async () => database.change([REFERRED]))
  const late = only.cache.getOrLoad(key, options, async () => 'new')
  await drain()
  held.resolve()
  t.equal(words(await early), 'old: miss')
  t.match(words(await late), /^new: /)
})
