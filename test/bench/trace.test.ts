import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { boundsOf } from '../../bench/replay/report.js'
import { sieveMisses, readTrace } from '../../bench/replay/trace.js'
import { temporaryDirectory } from '../helpers/servers/servers.js'

const TRACE = fileURLToPath(new URL('../../bench/traces/web07.trace.gz', import.meta.url))

t.test('the bounds of the trace in the repository are those its README names', async (t) => {
  const trace = readTrace(TRACE)
  t.equal(trace.requests.length, 76_118)
  const { pages, reduction, memoryReduction } = boundsOf(trace)
  t.equal(pages, 20_484)
  t.equal(reduction.toFixed(1), '73.1')
  t.equal(memoryReduction.toFixed(1), '53.3')
})

t.test('the simulated memory forgets the oldest page that was not asked for again', async (t) => {
  const requests = Uint32Array.of(0, 1, 0, 2, 0, 1, 2)
  const trace = { requests, pages: 3 }
  t.equal(sieveMisses(trace, 1), 7)
  t.equal(sieveMisses(trace, 2), 5, '1 makes way for 2, 2 for 1, and the hand has passed 0')
  t.equal(sieveMisses(trace, 3), 3)
})

t.test('a trace may be unpacked and cut short, and anything else is refused', async (t) => {
  const path = join(temporaryDirectory(), 'trace')
  writeFileSync(path, Buffer.from([0, 0, 1, 0, 0, 0, 0, 7, 0, 0, 1, 0]))
  t.strictSame(readTrace(path), { requests: Uint32Array.of(0, 1, 0), pages: 2 })
  t.strictSame(readTrace(path, 1), { requests: Uint32Array.of(0), pages: 1 })
  writeFileSync(path, 'five!')
  t.throws(() => readTrace(path), /is no trace/)
})
