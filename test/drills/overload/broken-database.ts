import { setTimeout as sleep } from 'node:timers/promises'
import { openFlood } from './flood.js'
import type { LoadResult } from './load.js'
import { atMost, boundedWait, counts, exactly, failuresOf, ordeal, resultOf, type Scene, streamOf } from './scene.js'
import { MISS_LIMIT_MS, type OverloadStage } from './stage.js'

/** In these scenes it is not the rate that matters. */
const HIT_SHARE = 0.25
/** Who holds a connection waits for the lock so long at most, then the server gives up. */
const LOCK_LIMIT_MS = 5_000
/** Longer than the line lets anybody wait. */
const SHORT_LOCK_MS = 1_500

/** A locked table holds all connections of the pool, while misses and writes of it come at half of what the database can do. */
export const lockedTable: Scene = {
  name: 'locked-table',
  async run(stage) {
    const { ended, result } = await withFlood(stage, async () => {
      const unlock = await stage.lock('designs')
      await sleep(stage.options.isShort ? SHORT_LOCK_MS : Math.max(6_000, stage.options.seconds * 1_000))
      await unlock()
    })
    const [misses, writes] = [streamOf(result, 'trouble', 'misses'), streamOf(result, 'trouble', 'writes')]
    const promises = [
      atMost('misses refused, p50', misses.refused.p50, MISS_LIMIT_MS, 'ms'),
      atMost(
        'the longest, holding a connection',
        Math.max(misses.refused.max, misses.answered.max),
        LOCK_LIMIT_MS,
        'ms',
      ),
      exactly('misses and writes without any answer', failuresOf(misses) + failuresOf(writes), 0),
    ]
    return resultOf(ended, promises, [`misses: ${counts(misses)}`, `writes: ${counts(writes)}`])
  },
}

/** PostgreSQL is stopped with all its backends: connections stay open, and nobody answers. */
export const hungPostgres: Scene = {
  name: 'hung-postgres',
  async run(stage) {
    const { ended, result } = await withFlood(stage, async () => {
      stage.postgres.pause()
      await sleep(Math.max(5_000, stage.options.seconds * 1_000))
      stage.postgres.resume()
    })
    const [misses, writes] = [streamOf(result, 'trouble', 'misses'), streamOf(result, 'trouble', 'writes')]
    const longest = Math.max(misses.refused.max, writes.refused.max, ended.misses.refused.max || 0)
    const promises = [
      atMost('the longest wait for a 503', longest, MISS_LIMIT_MS, 'ms'),
      ...boundedWait('misses', misses),
      exactly('misses and writes without any answer', failuresOf(misses) + failuresOf(writes), 0),
    ]
    return resultOf(ended, promises, [`misses: ${counts(misses)}`, `writes: ${counts(writes)}`])
  },
}

/** Half of what the database can do, from before the trouble until after it. */
async function withFlood(stage: OverloadStage, trouble: () => Promise<void>) {
  const load = await openFlood(stage, 0.5)
  let result: LoadResult | undefined
  const ended = await ordeal(stage, HIT_SHARE, async () => {
    await load.go('before')
    await sleep(1_000)
    await load.phase('trouble')
    await trouble()
    void load.stop().then((all) => (result = all))
  })
  if (result === undefined) throw new Error('The load did not end')
  return { ended, result }
}
