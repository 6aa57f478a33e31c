import t from 'tap'
import { bucketsOf, percentile } from '../../../dashboard/figures.js'
import { Latencies, SOURCE } from '../../../services/figures/latencies.js'

t.test('percentiles that the page makes of the counts are off by less than 5 %', async (t) => {
  for (const hundredths of [1, 7, 150, 999, 1_000, 1_001, 25_000, 6_000_000]) {
    const latencies = new Latencies()
    latencies.record(SOURCE.redis, hundredths)
    const found = percentile(bucketsOf(latencies.counts().redis), 99) ?? 0
    t.ok(Math.abs(found / (hundredths / 100) - 1) < 0.05, `${hundredths / 100} ms is told as ${found}`)
  }
})

t.test('each source has counts of its own, and half is below the median', async (t) => {
  const latencies = new Latencies()
  for (let n = 0; n < 90; n++) latencies.record(SOURCE.memory, 10)
  for (let n = 0; n < 10; n++) latencies.record(SOURCE.memory, 10_000)
  latencies.record(SOURCE.miss, 500)
  const { memory, miss, redis, other } = latencies.counts()
  t.same([redis, other], [[], []])
  t.equal(miss.at(1), 1)
  const buckets = bucketsOf(memory)
  t.ok((percentile(buckets, 50) ?? 0) < 0.11)
  t.ok((percentile(buckets, 90) ?? 0) < 0.11)
  t.ok((percentile(buckets, 91) ?? 0) > 95)
  t.equal(percentile(bucketsOf(redis), 50), undefined)
})

t.test('what took no time, and what took hours, is counted', async (t) => {
  const latencies = new Latencies()
  latencies.record(SOURCE.other, 0)
  latencies.record(SOURCE.other, 1e9)
  t.same(latencies.counts().other, [0, 1, 191, 1])
})
