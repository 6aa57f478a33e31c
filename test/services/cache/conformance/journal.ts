import type { Test } from 'tap'
import type { Announcements, Journal, TailAnswer } from '../../../../services/cache/index.js'
import { covers, parseSnapshot, sees, type Snapshot } from '../../../../services/cache/core/snapshot.js'
import { until } from '../../../helpers/deadline.js'

/** A write under way, with its id. */
export interface OpenWrite {
  readonly id: number
  commit(): Promise<void>
  abort(): Promise<void>
}

/** A journal, and what else a test does to its database. */
export interface Subject {
  readonly journal: Journal
  /** The same journal, over which at most so many tags are read at once. */
  smaller(mostTags: number): Journal
  /** `undefined` where the database has one connection: there no write is open while another is asked. */
  begin?(tags: readonly string[]): Promise<OpenWrite>
  /** Another history of the same database, with its journal empty. */
  goBack(): Promise<void>
}

type Answer = TailAnswer & { readonly identity: string }

/** What every journal promises. The journal is empty at first, and has answered. */
export async function conforms(t: Test, subject: Subject): Promise<void> {
  const { journal } = subject

  await t.test('the first tail begins where it is, and brings nothing', async (t) => {
    const start = await tailOf(journal)
    t.equal(start.from, start.snapshot)
    t.same(start.changes, [])
    t.equal(start.fault, undefined)
  })

  await t.test(
    'a touch is one change, with its id, which the next tail brings and the one after does not',
    async (t) => {
      const start = await tailOf(journal)
      const id = await journal.touch(['u/a', '*', `it's "ü"`])
      const next = await tailOf(journal, start)
      t.same(next.changes, [{ transaction: id, tags: ['u/a', '*', `it's "ü"`] }])
      t.equal(next.from, start.snapshot)
      t.notOk(sees(snapshotOf(start.snapshot), id))
      t.ok(sees(snapshotOf(next.snapshot), id))
      t.ok(covers(snapshotOf(next.snapshot), snapshotOf(start.snapshot)))
      t.same((await tailOf(journal, next)).changes, [])
      t.same((await tailOf(journal, start)).changes?.length, 1, 'a tail takes nothing away')
    },
  )

  await t.test('a touch of no tag is no change', async (t) => {
    const start = await tailOf(journal)
    t.equal(await journal.touch([]), -1)
    t.same((await tailOf(journal, start)).changes, [])
  })

  const { begin } = subject
  if (begin !== undefined) {
    await t.test('what is open is in no tail; what commits late comes late, and once', async (t) => {
      const start = await tailOf(journal)
      const [slow, undone] = [await begin(['u/slow']), await begin(['u/undone'])]
      const fast = await journal.touch(['u/fast'])
      const second = await tailOf(journal, start)
      t.same(second.changes, [{ transaction: fast, tags: ['u/fast'] }])
      t.ok(snapshotOf(second.snapshot).xip.includes(slow.id))
      await undone.abort()
      const third = await tailOf(journal, second)
      t.same(third.changes, [])
      await slow.commit()
      const fourth = await tailOf(journal, third)
      t.same(fourth.changes, [{ transaction: slow.id, tags: ['u/slow'] }])
      t.same((await tailOf(journal, fourth)).changes, [])
      t.same(idsOf(await tailOf(journal, start)), [slow.id, fast], 'all of it, for who was away')
    })

    await t.test('of two tails with one xmax the later one covers the earlier, and not the other way', async (t) => {
      const slow = await begin(['u/slow'])
      await journal.touch(['u/fast'])
      const before = await tailOf(journal)
      await slow.commit()
      const after = await tailOf(journal)
      const [earlier, later] = [snapshotOf(before.snapshot), snapshotOf(after.snapshot)]
      t.equal(later.xmax, earlier.xmax)
      t.same([covers(later, earlier), covers(earlier, later)], [true, false])
    })
  }

  await t.test('more tags than can be read at once: nothing is brought, and where one is counts', async (t) => {
    const small = subject.smaller(3)
    const start = await tailOf(small)
    await journal.touch(['u/1', 'u/2', 'u/3'])
    const exactly = await tailOf(small, start)
    t.equal(exactly.changes?.length, 1)
    await journal.touch(['u/4'])
    const tooMuch = await tailOf(small, start)
    t.equal(tooMuch.changes, undefined)
    t.equal(tooMuch.from, start.snapshot)
    t.same((await tailOf(small, tooMuch)).changes, [])
  })

  await t.test('a starting replica begins at the least mark from which it can read everything', async (t) => {
    await journal.mark(0)
    const first = await tailOf(journal)
    const ids = [await journal.touch(['u/1']), await journal.touch(['u/2'])]
    await journal.mark(0)
    ids.push(await journal.touch(['u/3']))
    const whole = await tailOf(journal)
    t.ok(covers(snapshotOf(first.snapshot), snapshotOf(whole.from)))
    t.same(idsOf(whole).slice(-3), ids)
    t.same(idsOf(await tailOf(subject.smaller(1))), [ids[2]], 'from the second mark there is one tag to read')
    await journal.touch(['u/4'])
    const none = await tailOf(subject.smaller(1))
    t.equal(none.from, none.snapshot, 'none is near enough')
  })

  await t.test('a mark is taken only when the last one is old enough', async (t) => {
    const small = subject.smaller(1)
    await journal.touch(['u/before'])
    await journal.mark(0)
    for (const tag of ['u/1', 'u/2']) await journal.touch([tag])
    await journal.mark(60_000)
    await journal.touch(['u/3'])
    const none = await tailOf(small)
    t.equal(none.from, none.snapshot, 'from the last mark there are three tags to read')
    await journal.mark(0)
    const last = await journal.touch(['u/4'])
    t.same(idsOf(await tailOf(small)), [last])
  })

  await t.test('a prune deletes what the newest mark sees; who comes from before it begins anew', async (t) => {
    const start = await tailOf(journal)
    await journal.touch(['u/gone'])
    await journal.mark(0)
    const kept = await journal.touch(['u/kept'])
    t.equal(await journal.prune(60_000), 0, 'no mark is that old')
    t.equal(idsOf(await tailOf(journal, start)).length, 2)
    t.ok((await journal.prune(0)) >= 1)
    const anew = await tailOf(journal, start)
    t.not(anew.from, start.snapshot)
    t.same(idsOf(anew), [kept])
    t.equal(await journal.prune(0), 0)
  })

  await t.test('a snapshot of another history is not gone on from', async (t) => {
    await journal.touch(['u/since the last mark'])
    const start = await tailOf(journal)
    const other = await tailOf(journal, { ...start, identity: 'another' })
    t.equal(other.identity, start.identity)
    t.not(other.from, start.snapshot)
    await journal.touch(['u/a'])
    await subject.goBack()
    const back = await tailOf(journal, start)
    t.not(back.identity, start.identity)
    t.equal(back.from, back.snapshot)
    t.same(back.changes, [])
    t.same((await tailOf(journal, back)).from, back.snapshot)
  })

  const { listen } = journal
  if (listen !== undefined) {
    await t.test('an announcement reaches all who listen, its sender too, until they close', async (t) => {
      const heard: Record<'one' | 'two', string[]> = { one: [], two: [] }
      const [one, two]: Announcements[] = await Promise.all([
        listen((payload) => heard.one.push(payload)),
        listen((payload) => heard.two.push(payload)),
      ])
      await one?.announce('["one","a"]')
      await until(() => heard.one.length + heard.two.length === 2, { describe: 'both have heard it' })
      t.same(heard, { one: ['["one","a"]'], two: ['["one","a"]'] })
      await two?.close()
      await two?.closed
      await one?.announce('["one","b"]')
      await until(() => heard.one.length === 2, { describe: 'its own has come back' })
      t.equal(heard.two.length, 1)
      await one?.close()
    })
  }
}

/** The tail after `last`: the one before may have had to make the journal anew. */
async function tailOf(journal: Journal, last?: Answer): Promise<Answer> {
  for (let attempt = 0; attempt < 3; attempt++) {
    const answer = await journal.tail(last?.snapshot, last?.identity)
    if (answer.identity !== undefined) return { ...answer, identity: answer.identity }
  }
  throw new Error('The journal finds no identity')
}

function idsOf({ changes }: Answer): number[] {
  return (changes ?? []).map(({ transaction }) => transaction).sort((a, b) => a - b)
}

function snapshotOf(text: string): Snapshot {
  const snapshot = parseSnapshot(text)
  if (snapshot === undefined) throw new Error(`no snapshot: ${text}`)
  return snapshot
}
