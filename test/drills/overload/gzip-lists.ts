import { atMost, counts, during, exactly, failuresOf, ordeal, resultOf, type Scene, streamOf } from './scene.js'
import { MISS_LIMIT_MS } from './stage.js'
import { get, writesOf } from './tenants.js'

/** Lists of half a MiB are asked for as gzip, while each changes five times a second and so has to be compressed anew. */
export const gzipLists: Scene = {
  name: 'gzip-lists',
  async run(stage) {
    const { large } = stage.cast
    const load = await stage.load([
      {
        name: 'lists',
        requests: large.map((tenant) => get('/api/designs?limit=100', tenant, 'Accept-Encoding: gzip\r\n')),
        connections: 100,
        perSecond: 100,
        isPatient: true,
        slowMs: MISS_LIMIT_MS,
      },
      {
        name: 'changes',
        requests: writesOf(large),
        connections: 20,
        perSecond: 5 * large.length,
        isPatient: true,
        slowMs: MISS_LIMIT_MS,
      },
    ])
    let result: Awaited<ReturnType<typeof load.stop>> | undefined
    const ended = await ordeal(stage, 0.25, async () => {
      result = await during(stage, load)
    })
    if (result === undefined) throw new Error('Unreachable')
    const [lists, changes] = [streamOf(result, 'trouble', 'lists'), streamOf(result, 'trouble', 'changes')]
    const promises = [
      atMost('large lists, p99', lists.answered.p99, MISS_LIMIT_MS, 'ms'),
      exactly('lists and changes without any answer', failuresOf(lists) + failuresOf(changes), 0),
    ]
    return resultOf(ended, promises, [`lists: ${counts(lists)}`, `changes: ${counts(changes)}`])
  },
}
