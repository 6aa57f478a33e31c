import { Readable, Writable } from 'node:stream'
import t from 'tap'
import { systemClock } from '../../../services/cache/index.js'
import { ChangeStreams } from '../../../services/changes/streams.js'
import type { ChangesPage } from '../../../services/changes/feed.js'
import { CursorExpiredError, ServiceUnavailableError, TooManyStreamsError } from '../../../services/errors.js'
import { until } from '../../helpers/deadline.js'

const USER = '00000000-0000-4000-8000-000000000001'
const nothing = (nextCursor: string): ChangesPage => ({ changes: [], nextCursor, isMore: false })
const allowed = async (): Promise<boolean> => true

// The clock's timers keep no process alive.
const alive = setInterval(() => {}, 1_000)
t.teardown(() => clearInterval(alive))

function streamsOver(
  page: (cursor: string) => Promise<ChangesPage>,
  times: { pollMs?: number; heartbeatMs?: number } = {},
) {
  return new ChangeStreams({
    feed: { page: (_user, cursor) => page(cursor) },
    clock: systemClock,
    pollMs: 60_000,
    ...times,
  })
}

t.test('heartbeats are comments, and carry the cursor on', async (t) => {
  let looks = 0
  const streams = streamsOver(async () => nothing(`c${++looks}`), { pollMs: 20, heartbeatMs: 50 })
  const stream = streams.open(USER, 'c0', allowed)
  const events = stream.events()
  t.equal((await events.next()).value, 'id: c0\n\n')
  const beat = String((await events.next()).value)
  t.match(beat, /^: still here\nid: c\d+\n\n$/)
  t.not(beat.includes('id: c0\n'), true, 'an idle reader does not fall behind what is kept')
  stream.end()
  t.equal((await events.next()).done, true)
  t.equal(streams.count, 0)
})

t.test('a stream looks when its user’s tags are raised, and when it is time', async (t) => {
  let looks = 0
  const streams = streamsOver(async () => nothing(`c${++looks}`))
  const stream = streams.open(USER, 'c0', allowed)
  const reading = (async () => {
    for await (const text of stream.events()) t.comment(text.trim())
  })()
  await until(() => looks === 1, { describe: 'the first look' })
  streams.wake(['00000000-0000-4000-8000-000000000002/designs'])
  streams.wake([`${USER}/designs`])
  await until(() => looks === 2, { describe: 'a look for the tag' })
  streams.wake(['*'])
  await until(() => looks === 3, { describe: 'a look for everything' })
  streams.close()
  await reading
  const late = []
  for await (const text of streams.open(USER, 'c0', allowed).events()) late.push(text)
  t.same(late, ['id: c0\n\n'], 'a new one tells what there is, here nothing, and ends')
  t.equal(looks, 4)
})

t.test('who does not read costs a few pages, however much there is', async (t) => {
  let looks = 0
  const json = `"${'x'.repeat(100_000)}"`
  const streams = streamsOver(async () => ({
    changes: [{ json, cursor: () => `c${looks}` }],
    nextCursor: `c${++looks}`,
    isMore: true,
  }))
  const readable = Readable.from(streams.open(USER, 'c0', allowed).events())
  let taken = 0
  readable.pipe(
    new Writable({
      highWaterMark: 1,
      // It takes the id and a page, and then no more.
      write(_chunk, _encoding, done) {
        taken += 1
        if (taken < 2) done()
      },
    }),
  )
  await until(() => taken === 2, { describe: 'the first page is under way' })
  await systemClock.sleep(200)
  t.ok(looks <= 3, `${looks} pages: one under way, one behind it, and one that was read for when there is room`)
  readable.destroy()
  await until(() => streams.count === 0, { describe: 'it is over' })
})

t.test(
  'a cursor that expires ends it with an event that says so; a database that is away does not end it',
  async (t) => {
    let looks = 0
    const streams = streamsOver(
      async () => {
        looks += 1
        if (looks === 1) throw new ServiceUnavailableError()
        throw new CursorExpiredError()
      },
      { pollMs: 10 },
    )
    const texts: string[] = []
    for await (const text of streams.open(USER, 'c0', allowed).events()) texts.push(text)
    t.match(texts, ['id: c0\n\n', /^event: over\ndata: \{"statusCode":410,"code":"CURSOR_EXPIRED"/])
    t.equal(texts.length, 2)
    t.equal(looks, 2)
  },
)

t.test('whoever may no longer read is sent nothing more, and ten of a user are enough', async (t) => {
  let looks = 0
  const streams = streamsOver(async () => nothing(`c${++looks}`))
  const texts: string[] = []
  for await (const text of streams.open(USER, 'c0', async () => false).events()) texts.push(text)
  t.same(texts, ['id: c0\n\n'])
  t.equal(looks, 0)
  const open = Array.from({ length: 10 }, () => streams.open(USER, 'c0', allowed))
  t.throws(() => streams.open(USER, 'c0', allowed), new TooManyStreamsError())
  open[0]?.end()
  open[0]?.end()
  t.equal(streams.count, 9)
  streams.open(USER, 'c0', allowed)
})
