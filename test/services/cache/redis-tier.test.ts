import t from 'tap'
import { Breaker } from '../../../services/cache/breaker.js'
import type { StoredEntry } from '../../../services/cache/codec.js'
import type { EntryAddress } from '../../../services/cache/index.js'
import { RedisKeys } from '../../../services/cache/redis-keys.js'
import { ANY_ENTRY, NO_ENTRY, type RedisBegin, type RedisBegun } from '../../../services/cache/redis-loads.js'
import { RedisTier } from '../../../services/cache/redis-tier.js'
import { FakeClock } from '../../helpers/cache/fake-clock.js'
import { ModelRedis } from '../../helpers/cache/model-redis.js'
import { ModelRedisClient } from '../../helpers/cache/model-redis-client.js'
import { promptNetwork } from '../../helpers/cache/network.js'
import { POLICY, text } from '../../helpers/cache/replica.js'

/** A tier over the model of Redis whose turns end when the test says so, and the commands that went out. */
function setUp(options: { isCluster?: boolean } = {}) {
  const clock = new FakeClock()
  const server = new ModelRedis({ clock })
  const client = new ModelRedisClient({ server, clock, network: promptNetwork, name: 'replica', timeoutMs: 100 })
  const commands: string[] = []
  const [mget, evalsha] = [client.mget.bind(client), client.evalsha.bind(client)]
  client.mget = (names) => {
    commands.push(`MGET ${names.map(tailOf).join(' ')}`)
    return mget(names)
  }
  client.evalsha = (sha, count, ...rest) => {
    commands.push(rest.slice(0, count).map(tailOf).join(' '))
    return evalsha(sha, count, ...rest)
  }
  const ends: (() => void)[] = []
  let ids = 0
  const tier = new RedisTier({
    client,
    keys: new RedisKeys('journal'),
    breaker: new Breaker({ limit: 5, onOpen: () => {} }),
    isCluster: options.isCluster === true,
    leaseMs: 2_000,
    tagLifetimeMs: 60_000,
    randomId: () => `i${++ids}`,
    endOfTurn: (work) => void ends.push(work),
    expectsMisses: false,
    onError: () => {},
  })
  const endTurn = (): void => ends.splice(0).forEach((work) => work())
  const soon = async <T>(promise: Promise<T>): Promise<T> => {
    endTurn()
    return promise
  }
  const read = (address: EntryAddress): Promise<StoredEntry | undefined> =>
    new Promise((resolve, reject) =>
      tier.read({
        address,
        clearVersion: 0,
        onRead: resolve,
        onReadFailed: () => reject(new Error('Redis did not answer')),
      }),
    )
  const begin = (
    address: EntryAddress,
    leaseId: string,
    { supersededId = '', heard = [0, 0], freshAfter = NO_ENTRY }: Partial<RedisBegin> = {},
  ): Promise<RedisBegun> =>
    new Promise((resolve, reject) =>
      tier.begin({
        ...{ address, clearVersion: 0, heard, leaseId, supersededId, freshAfter },
        onBegun: resolve,
        onFailed: () => reject(new Error('Redis did not answer')),
      }),
    )
  const fill = (address: EntryAddress, leaseId: string, stamps: readonly string[]): Promise<boolean> =>
    new Promise((resolve, reject) =>
      tier.fill({
        ...{ address, clearVersion: 0, leaseId, entry: { ...ENTRY, stamps }, lifetimeMs: 1_000 },
        onFilled: resolve,
        onFailed: () => reject(new Error('Redis did not answer')),
      }),
    )
  return { tier, server, client, commands, endTurn, soon, read, begin, fill }
}

const ENTRY = { document: text('v1'), loadedAt: 1, freshUntil: 2, expiresAt: 3 }

function address(name: string, owner = 'u'): EntryAddress {
  return { key: `${owner}/${name}`, tags: [`${owner}/${name}`, `${owner}/all`], policy: POLICY }
}

/** Of `roundhouse:2:journal:0:{u}:entry:u/a`: `entry:u/a`. */
function tailOf(name: string | number): string {
  return String(name).replace(/^.*\}:/, '')
}

t.test(
  'what one turn reads, begins and fills shares a command each, and everybody gets their own answer',
  async (t) => {
    const { commands, soon, read, begin, fill } = setUp()
    const [a, b] = [address('a'), address('b')]
    const begun = await soon(Promise.all([begin(a, 'l1'), begin(b, 'l2'), begin(a, 'l3')]))
    t.same(
      begun.map(({ isGranted }) => isGranted),
      [true, true, false],
    )
    t.same(begun[0]?.stamps, ['0:i1', '0:i1'])
    t.same(await soon(Promise.all([fill(a, 'l1', ['0:i1', '0:i1']), fill(b, 'l2', ['0:i1', '0:other'])])), [
      true,
      false,
    ])
    const [readA, readB] = await soon(Promise.all([read(a), read(b)]))
    t.equal(readA?.document?.json, '"v1"')
    t.equal(readB, undefined)
    t.same(
      commands.filter((command) => !command.startsWith('MGET')),
      [
        'entry:u/a entry:u/b entry:u/a lease:u/a lease:u/b lease:u/a tag:u/a tag:u/all tag:u/b',
        'entry:u/a entry:u/b lease:u/a lease:u/b tag:u/a tag:u/all tag:u/b tag:u/all',
      ],
    )
    t.same(
      commands.filter((command) => command.startsWith('MGET')),
      ['MGET entry:u/a tag:u/a tag:u/all entry:u/b tag:u/b'],
    )
    t.equal((await soon(begin(b, 'l4'))).isGranted, true, 'a refused fill gives its lease back too')
  },
)

t.test('an entry is read only with all of its tags equal', async (t) => {
  const { tier, soon, read, begin, fill } = setUp()
  const a = address('a')
  const { stamps } = await soon(begin(a, 'l1'))
  t.equal(await soon(read(a)), undefined)
  await soon(fill(a, 'l1', stamps))
  t.same((await soon(read(a)))?.stamps, stamps)
  await tier.raise([{ tag: 'u/all', version: 1 }])
  t.equal(await soon(read(a)), undefined)
})

t.test('a begin answers the entry instead of a lease, if it is valid and as fresh as is wanted', async (t) => {
  const { tier, soon, begin, fill } = setUp()
  const a = address('a')
  const { stamps } = await soon(begin(a, 'l1', { freshAfter: ANY_ENTRY }))
  await soon(fill(a, 'l1', stamps))
  const begun = await soon(
    Promise.all([
      begin(a, 'l2', { freshAfter: ANY_ENTRY }),
      begin(a, 'l3', { freshAfter: ENTRY.freshUntil - 1 }),
      begin(a, 'l4', { freshAfter: ENTRY.freshUntil }),
      begin(a, 'l5'),
    ]),
  )
  t.same(
    begun.map(({ entry, isGranted }) => [entry?.document?.json, isGranted]),
    [
      ['"v1"', false],
      ['"v1"', false],
      [undefined, true],
      [undefined, false],
    ],
    'and the leases are taken by who gets no entry only',
  )
  await tier.raise([{ tag: 'u/all', version: 1 }])
  t.equal((await soon(begin(a, 'l6', { freshAfter: ANY_ENTRY }))).entry, undefined, 'of a tag that was raised')
})

t.test('a begin answers no entry that is behind what its reader has heard of', async (t) => {
  const { soon, begin, fill } = setUp()
  const a = address('a')
  const { stamps } = await soon(begin(a, 'l1'))
  await soon(fill(a, 'l1', stamps))
  const begun = await soon(begin(a, 'l2', { freshAfter: ANY_ENTRY, heard: [0, 1] }))
  t.same([begun.entry, begun.isGranted, begun.stamps[1]], [undefined, true, '1:i2'])
})

t.test('reads that mostly find nothing are taken for misses, and those that find their entry for hits', async (t) => {
  const { tier, soon, read, begin, fill } = setUp()
  const a = address('a')
  t.notOk(tier.isMissLikely)
  for (let n = 0; n < 64; n++) await soon(read(a))
  t.ok(tier.isMissLikely)
  const { stamps } = await soon(begin(a, 'l1'))
  await soon(fill(a, 'l1', stamps))
  for (let n = 0; n < 64; n++) await soon(read(a))
  t.notOk(tier.isMissLikely)
  for (let n = 0; n < 64; n++) tier.countLook({ isMiss: true })
  t.ok(tier.isMissLikely, 'begins without a read before them count too')
})

t.test('a begin lifts a shared tag to the highest version that one of them has heard of', async (t) => {
  const { soon, begin } = setUp()
  const begun = await soon(
    Promise.all([
      begin(address('a'), 'l1', { heard: [1, 2] }),
      begin(address('b'), 'l2', { heard: [0, 7] }),
      begin(address('c'), 'l3', { heard: [0, 4] }),
    ]),
  )
  t.same(
    begun.map(({ stamps }) => stamps),
    [
      ['1:i1', '7:i1'],
      ['0:i1', '7:i1'],
      ['0:i1', '7:i1'],
    ],
  )
})

t.test('a load takes over the lease of the one it supersedes, even within one command', async (t) => {
  const { soon, begin } = setUp()
  const a = address('a')
  const begun = await soon(Promise.all([begin(a, 'old'), begin(a, 'new', { supersededId: 'old' }), begin(a, 'other')]))
  t.same(
    begun.map(({ isGranted }) => isGranted),
    [true, true, false],
  )
})

t.test('the next turn begins a command of its own, and so does the seventeenth read', async (t) => {
  const { commands, endTurn, soon, read } = setUp()
  await soon(read(address('a')))
  await soon(read(address('a')))
  t.equal(commands.length, 2)
  const reads = Array.from({ length: 20 }, (_, n) => read(address(`n${n}`)))
  t.equal(commands.length, 3, 'sixteen go out at once')
  endTurn()
  t.equal(commands.length, 4)
  t.equal((await Promise.all(reads)).length, 20)
})

t.test('different slots of a cluster never share a command', async (t) => {
  const { commands, soon, read, begin } = setUp({ isCluster: true })
  await soon(Promise.all([read(address('a', 'u1')), read(address('b', 'u2'))]))
  await soon(Promise.all([begin(address('a', 'u1'), ''), begin(address('b', 'u2'), '')]))
  t.same(commands.slice(0, 2), ['MGET entry:u1/a tag:u1/a tag:u1/all', 'MGET entry:u2/b tag:u2/b tag:u2/all'])
  t.same(commands.slice(2, 4), [
    'entry:u1/a lease:u1/a tag:u1/a tag:u1/all',
    'entry:u2/b lease:u2/b tag:u2/b tag:u2/all',
  ])
})

t.test('a command that fails fails everybody in it', async (t) => {
  const { client, soon, read, begin, fill } = setUp()
  client.cut()
  const [a, b] = [address('a'), address('b')]
  const all = [read(a), read(b), begin(a, 'l1'), begin(b, ''), fill(a, 'l1', []), fill(b, '', [])]
  const settled = await soon(Promise.allSettled(all))
  t.same(
    settled.map(({ status }) => status),
    all.map(() => 'rejected'),
  )
})
