import { setTimeout as sleep } from 'node:timers/promises'
import type { Load, LoadResult } from './load.js'
import { boundedWait, counts, exactly, failuresOf, ordeal, resultOf, type Scene, streamOf } from './scene.js'
import { MISS_LIMIT_MS, type OverloadStage } from './stage.js'
import { missesOf, writesOf } from './tenants.js'

/** So many times what the database can do. */
const TIMES = 3
/** As many as an edge keeps: each costs the service something with every request. Thousands are a scene of their own. */
const MOST_CONNECTIONS = 300

/** Misses and writes of forty tenants at three times what the database can do, while hits come at half of what the service can do. */
export const flood: Scene = {
  name: 'flood',
  async run(stage) {
    const load = await openFlood(stage, TIMES)
    let result: LoadResult | undefined
    const ended = await ordeal(stage, 0.5, async () => {
      await load.go('trouble')
      await sleep(stage.options.seconds * 1_000)
      // Its last answers come while the service is on its way back.
      void load.stop().then((all) => (result = all))
    })
    if (result === undefined) throw new Error('The flood did not end')
    const [misses, writes] = [streamOf(result, 'trouble', 'misses'), streamOf(result, 'trouble', 'writes')]
    const promises = [
      ...boundedWait('misses of the flood', misses),
      exactly('requests of the flood without any answer', failuresOf(misses) + failuresOf(writes), 0),
      exactly('of it refused without Retry-After', misses.unguided + writes.unguided, 0),
    ]
    return resultOf(ended, promises, [`flood, misses: ${counts(misses)}`, `flood, writes: ${counts(writes)}`])
  },
}

export function openFlood(stage: OverloadStage, times: number): Promise<Load> {
  const { rates, cast } = stage
  const connectionsFor = (perSecond: number, seconds: number): number =>
    Math.min(MOST_CONNECTIONS, Math.ceil(perSecond * seconds))
  const [misses, writes] = [times * rates.misses, times * rates.writes]
  return stage.load([
    {
      name: 'misses',
      requests: missesOf(cast.flooders),
      connections: connectionsFor(misses, 1.2),
      perSecond: misses,
      slowMs: MISS_LIMIT_MS,
    },
    {
      name: 'writes',
      requests: writesOf(cast.flooders),
      connections: connectionsFor(writes, 6),
      perSecond: writes,
      slowMs: MISS_LIMIT_MS,
    },
  ])
}
