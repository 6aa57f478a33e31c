import { setTimeout as sleep } from 'node:timers/promises'
import { versionIn } from '../../http/traffic.js'
import { withReplicas } from '../../http/replicas.js'
import type { Benchmark } from '../../harness/benchmark.js'
import { figure } from '../../harness/print.js'
import { quantile, spreadOf } from '../../harness/statistics.js'
import { HttpConnection } from '../../../test/helpers/http-connection.js'
import { Seeded } from '../../../test/helpers/seeded.js'

const WRITES = 100
const DESIGNS = 20
/** Up to so many ms between a write and the next. */
const LONGEST_PAUSE_MS = 20
const GIVE_UP_MS = 10_000

export const benchmark: Benchmark = {
  title: 'how long another replica answers the old value after a write was acknowledged, without faults',
  parameters: { 'writes a round': WRITES },
  run: ({ rounds, isSmoke, seed }) =>
    withReplicas({ shops: 1, designsEach: DESIGNS }, async ({ servers, shops, note }) => {
      const { token, designIds } = shops[0]!
      const [writer, reader] = servers.map(({ port }) => new HttpConnection(port, { token }))
      if (writer === undefined || reader === undefined) throw new Error('There are two replicas')
      const seeded = new Seeded(seed)
      const found: number[][] = []
      for (let round = 0; round <= rounds; round++) {
        const stale: number[] = []
        for (let n = 0; n < (isSmoke ? 5 : WRITES); n++) {
          const path = `/api/designs/${seeded.pick(designIds)}`
          await reader.get(path)
          await sleep(seeded.next() * LONGEST_PAUSE_MS)
          stale.push(await staleAfterWrite(writer, reader, path, `text ${round} ${n}`))
        }
        if (round > 0) found.push(stale)
      }
      writer.close()
      reader.close()
      const at = (part: number): number[] => found.map((round) => quantile(round, part))
      const all = found.flat()
      return [
        {
          title: 'from the acknowledgement to the first read that another replica answers with the new value',
          rows: [
            { name: 'p50', value: spreadOf(at(0.5)), unit: 'ms', target: { of: 'value', atMost: 2 } },
            {
              name: 'p99, of all rounds',
              value: { median: quantile(all, 0.99), min: Math.min(...at(0.99)), max: Math.max(...at(0.99)) },
              unit: 'ms',
              target: { of: 'value', atMost: 10 },
              note: `the longest of ${all.length} writes ${figure(Math.max(...all))} ms`,
            },
          ],
          notes: [
            'One connection reads without a pause; counted is when the read began, so that up to one read (0.2 ms) is ours.',
            'All requests come from one process: one clock tells what was before what.',
            note,
          ],
        },
      ]
    }),
}

/** Reads before, during and after the write; resolves when a read has the new version. */
async function staleAfterWrite(
  writer: HttpConnection,
  reader: HttpConnection,
  path: string,
  description: string,
): Promise<number> {
  let acknowledged: { readonly version: number; readonly at: number } | undefined
  const write = async (): Promise<void> => {
    const { status, body } = await writer.send({ method: 'PATCH', path, body: { description } })
    if (status !== 200) throw new Error(`A write was answered with ${status}: ${body.toString()}`)
    acknowledged = { version: versionIn(body), at: performance.now() }
  }
  const read = async (): Promise<number> => {
    const giveUpAt = performance.now() + GIVE_UP_MS
    for (;;) {
      const beganAt = performance.now()
      const version = versionIn((await reader.get(path)).body)
      if (acknowledged !== undefined && version >= acknowledged.version) return Math.max(0, beganAt - acknowledged.at)
      if (beganAt > giveUpAt) throw new Error(`${path} is still stale after ${GIVE_UP_MS} ms`)
    }
  }
  const [staleMs] = await Promise.all([read(), write()])
  return staleMs
}
