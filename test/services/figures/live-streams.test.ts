import type { Readable } from 'node:stream'
import t from 'tap'
import { LiveStreams } from '../../../services/figures/live-streams.js'
import { FakeClock } from '../../helpers/cache/fake-clock.js'

/** Lets promises and streams go on. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

function scene(event: () => Promise<string> = () => Promise.resolve('data: 1\n\n')) {
  const clock = new FakeClock()
  let made = 0
  const errors: unknown[] = []
  const streams = new LiveStreams({
    clock,
    most: 2,
    onError: (error) => errors.push(error),
    event: () => {
      made += 1
      return event()
    },
  })
  const seconds = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) {
      await clock.advance(1_000)
      await turn()
    }
  }
  return { clock, streams, errors, seconds, made: () => made }
}

function read(stream: Readable): string[] {
  const parts: string[] = []
  stream.on('data', (part) => parts.push(String(part)))
  return parts
}

t.test('nothing is made while nobody looks, and one event a second for all who do', async (t) => {
  const { streams, seconds, made } = scene()
  await seconds(3)
  t.equal(made(), 0)
  const [one, two] = [streams.open('data: hello\n\n'), streams.open('data: hello\n\n')]
  const [first, second] = [read(one), read(two)]
  await seconds(3)
  t.ok(made() >= 3 && made() <= 4)
  t.equal(first[0], 'retry: 1000\n\ndata: hello\n\n')
  t.same(first, second)
  t.ok(first.length >= 4)
  one.destroy()
  two.destroy()
  await turn()
  const before = made()
  await seconds(3)
  t.equal(made(), before, 'nor when they have gone')
})

t.test('there is a bound, and who goes makes room', async (t) => {
  const { streams } = scene()
  const one = streams.open('')
  t.equal(streams.isFull, false)
  streams.open('')
  t.equal(streams.isFull, true)
  one.destroy()
  await turn()
  t.equal(streams.isFull, false)
  streams.close()
})

t.test('who does not read keeps one event, and is let go after ten more', async (t) => {
  const { streams, seconds } = scene()
  const slow = streams.open('data: hello\n\n')
  const quick = read(streams.open(''))
  await seconds(9)
  t.equal(slow.destroyed, false)
  t.ok(slow.readableLength < 40, 'nothing is gathered')
  await seconds(4)
  t.equal(slow.destroyed, true)
  t.ok(quick.length > 10)
  streams.close()
})

t.test('an event that can not be made ends no stream', async (t) => {
  let isBroken = true
  const { streams, seconds, errors } = scene(async () => {
    if (isBroken) throw new Error('no figures')
    return 'data: 2\n\n'
  })
  const parts = read(streams.open(''))
  await seconds(2)
  t.match(errors[0], { message: 'no figures' })
  isBroken = false
  await seconds(2)
  t.equal(parts.at(-1), 'data: 2\n\n')
  streams.close()
})

t.test('at the end of the service every stream ends', async (t) => {
  const { streams, seconds, made } = scene()
  const stream = streams.open('')
  read(stream)
  let isEnded = false
  stream.on('end', () => (isEnded = true))
  streams.close()
  await turn()
  t.ok(isEnded)
  const before = made()
  await seconds(2)
  t.equal(made(), before)
})

t.test('after the close a stream has its beginning, and ends', async (t) => {
  const { streams } = scene()
  streams.close()
  const stream = streams.open('data: hello\n\n')
  const parts = read(stream)
  await new Promise((resolve) => stream.once('end', resolve))
  t.same(parts, ['retry: 1000\n\ndata: hello\n\n'])
})
