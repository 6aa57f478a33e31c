import { once } from 'node:events'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { type Journal, openCache } from '../../../services/cache/index.js'

/*
 * This process stands still, and meanwhile the database answers. Timers run before what has come is read: none of them may say then that
 * nothing came.
 */

const BOUND_MS = 200
const STALL_MS = 400

/** Answers each message after a moment, also while this thread stands still. */
const ECHO = `const { parentPort } = require('node:worker_threads')
parentPort.on('message', (message) => setTimeout(() => parentPort.postMessage(message), 20))`

async function database(t: Test) {
  const worker = new Worker(ECHO, { eval: true })
  t.teardown(() => worker.terminate())
  await once(worker, 'online')
  const waiting = new Map<number, () => void>()
  let count = 0
  worker.on('message', (id: number) => waiting.get(id)?.())
  return {
    ask: (): Promise<void> =>
      new Promise((resolve) => {
        count += 1
        waiting.set(count, resolve)
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
        worker.postMessage(count)
      }),
  }
}

/** In the part of a turn that timers come after, and before what is to be read. */
async function standStill(): Promise<void> {
  await nextTurn()
  const until = performance.now() + STALL_MS
  while (performance.now() < until);
}

async function open(t: Test, tail: Journal['tail']) {
  const cache = await openCache({
    boundMs: BOUND_MS,
    journal: { tail, touch: async () => 1, mark: async () => {}, prune: async () => 0 },
  })
  t.teardown(() => cache.close())
  return cache
}

const ANSWER = {
  snapshot: '10:10:',
  identity: 'history',
  server: 'server',
  from: '10:10:',
  fault: undefined,
  changes: [],
}

t.test('a load whose answer has come is answered by an isolated replica', async (t) => {
  const { ask } = await database(t)
  let tails = 0
  let release = (): void => {}
  const cache = await open(t, async () => {
    tails += 1
    if (tails > 2) await new Promise<void>((resolve) => (release = resolve))
    return ANSWER
  })
  t.teardown(() => release())
  await sleep(3 * BOUND_MS)
  t.equal(cache.state, 'isolated')
  const reading = cache.getOrLoad('a', { tags: ['a'] }, () => ask().then(() => 'loaded'))
  await standStill()
  t.match(await reading, { value: 'loaded' })
})

t.test('a journal whose answer has come is answering', async (t) => {
  const { ask } = await database(t)
  let asking: (() => void) | undefined
  const cache = await open(t, async () => {
    const answered = ask()
    asking?.()
    await answered
    return ANSWER
  })
  await new Promise<void>((resolve) => (asking = resolve))
  asking = undefined
  // After the one that says that the tail is slow.
  const timer = sleep(0.75 * BOUND_MS)
  await standStill()
  await timer
  t.equal(cache.state, 'isolated')
  await cache.waitFor({ transaction: 5, isOfThisHistory: false })
  t.equal(cache.state, 'memory-only')
})
