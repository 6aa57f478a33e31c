import t from 'tap'
import { drain } from '../../../helpers/cache/fake-clock.js'
import { Rows, startWorld, tagOf, write } from '../../../helpers/cache/replicas.js'

t.test('an old copy that is put back is judged like everything else', async (t) => {
  const { database, members, clock, keys } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  database.rows.set('b', 'same')
  await rows.read(writer, 'a')
  await rows.read(writer, 'b')
  const dump = keys.save()
  await write(writer, database, 'a', 'new')
  await clock.advance(334)
  keys.keys = dump
  t.equal(await rows.read(reader, 'a'), 'new: miss')
  t.equal(await rows.read(reader, 'b'), 'same: hit in redis', 'what has not changed since is as good as ever')
})

t.test('a replica that starts late does not take from Redis what it can not judge', async (t) => {
  const { database, members, clock, join } = await startWorld(t)
  const writer = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'old')
  await rows.read(writer, 'a')
  database.change([tagOf('a')], { a: 'new' })
  const starting = await join()
  t.equal(await rows.read(starting, 'a'), 'new: miss', 'there is no mark: its knowledge begins now')
  await clock.advance(334)
})

t.test('one that starts at a mark takes what covers the mark and has not changed since', async (t) => {
  const { database, members, clock, join } = await startWorld(t)
  const writer = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'a')
  database.rows.set('b', 'old')
  database.mark()
  await rows.read(writer, 'a')
  await rows.read(writer, 'b')
  database.change([tagOf('b')], { b: 'new' })
  database.change([tagOf('c')], { c: 'c' })
  await clock.advance(334)
  const starting = await join()
  t.equal(await rows.read(starting, 'a'), 'a: hit in redis')
  t.equal(await rows.read(starting, 'b'), 'new: miss')
})

t.test('more changes than are read at once make everything before unknown', async (t) => {
  const { database, members, clock } = await startWorld(t, { mostTags: 10 })
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'a')
  await rows.read(reader, 'a')
  for (let n = 0; n < 11; n++) database.change([tagOf(`other-${n}`)])
  await clock.advance(334)
  t.equal(await rows.read(reader, 'a'), 'a: miss', 'neither memory nor Redis can be judged')
  t.equal(await rows.read(writer, 'a'), 'a: hit in redis', 'what was loaded since can')
})

t.test('garbage under the key of an entry is a miss, and is overwritten', async (t) => {
  const { database, members, keys } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'a')
  await rows.read(only, 'a')
  const name = [...keys.keys.keys()].find((key) => key.includes(':e:')) ?? ''
  let before = 0
  for (const value of ['', 'x', '\n', '1 2 3', '1 1 1 1:1: x\n{}', 'zzz 1 1 5:9:99\n"x"', '1 1 1 :\n"x"']) {
    await only.cache.clear()
    keys.keys.set(name, { value, expiresAt: Number.POSITIVE_INFINITY })
    t.equal(await rows.read(only, 'a'), 'a: miss', JSON.stringify(value))
    t.equal(only.cache.stats().invalidEntries, ++before)
    t.not(keys.keys.get(name)?.value, value)
  }
})

t.test('nobody waits for a lease where garbage lies under the key of the entry', async (t) => {
  const { database, members, keys } = await startWorld(t)
  const [reader, writer] = [members[0]!, members[1]!]
  const rows = new Rows(database)
  database.rows.set('a', 'a')
  await rows.read(writer, 'a')
  const name = [...keys.keys.keys()].find((key) => key.includes(':e:')) ?? ''
  keys.keys.set(name, { value: 'x', expiresAt: Number.POSITIVE_INFINITY })
  t.ok(
    [...keys.keys.keys()].some((key) => key.includes(':l:')),
    'that of the load before is there still',
  )
  t.equal(await rows.read(reader, 'a'), 'a: miss', 'no clock has moved')
})

t.test('entries of another identity have other names', async (t) => {
  const { database, members, clock, keys } = await startWorld(t, { replicas: 1 })
  const only = members[0]!
  const rows = new Rows(database)
  database.rows.set('a', 'taken back')
  await rows.read(only, 'a')
  const before = new Set(keys.keys.keys())
  database.goBackTo(0, new Map([['a', 'restored']]))
  await clock.advance(334)
  await drain()
  t.equal(await rows.read(only, 'a'), 'restored: miss')
  t.ok([...keys.keys.keys()].some((key) => key.includes(':e:') && !before.has(key)))
})
