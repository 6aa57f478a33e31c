import { OURS, PEERS } from '../../contenders/names.js'
import { LOAD_MS } from '../../contenders/cold.js'
import type { Benchmark, Row, Settings } from '../../harness/benchmark.js'
import { ContenderProcess, sibling } from '../../harness/contender-process.js'
import { spreadOf } from '../../harness/statistics.js'
import { startRedis } from '../../../test/helpers/servers/redis.js'

const MODULE = sibling(import.meta.url, '../../contenders/cold')
const READERS = 1_000
const PROCESSES = 4
/** Nothing is timed against anything here: a few rounds show whether the number is always the same. */
const MOST_ROUNDS = 5

export const benchmark: Benchmark = {
  title: 'loads for readers of one key that nobody holds',
  parameters: { readers: READERS, 'load (ms)': LOAD_MS, 'memory items': 1000 },
  run: async (settings) => {
    const redis = await startRedis()
    try {
      const names = [OURS, ...(settings.hasPeers ? PEERS : [])]
      const one: Row[] = []
      const several: Row[] = []
      for (const name of names) {
        one.push(await rowOf(name, 1, redis.url, settings))
        several.push(await rowOf(name, PROCESSES, redis.url, settings))
      }
      return [
        { title: `${READERS.toLocaleString('en-US')} readers in one process`, rows: one },
        { title: `the same in each of ${PROCESSES} processes at once`, rows: several },
      ]
    } finally {
      await redis.stop()
    }
  },
}

async function rowOf(name: string, processes: number, redisUrl: string, settings: Settings): Promise<Row> {
  const sharedId = String(processes)
  const parameters = { memoryItems: 1_000, redisUrl, readers: READERS, sharedId, startAt: 0 }
  const opened: ContenderProcess[] = []
  try {
    for (let n = 0; n < processes; n++) opened.push(await ContenderProcess.open({ module: MODULE, name, parameters }))
    const loads: number[] = []
    const times: number[] = []
    for (let round = 0; round < Math.min(settings.rounds, MOST_ROUNDS); round++) {
      const samples = await Promise.all(opened.map((contender) => contender.turn('cold', 0)))
      loads.push(samples.reduce((sum, sample) => sum + (sample['loads'] ?? Number.NaN), 0))
      times.push(Math.max(...samples.map((sample) => sample['ms'] ?? Number.NaN)))
    }
    const target = name === OURS ? ({ of: 'value', atMost: 1 } as const) : undefined
    return {
      name,
      value: spreadOf(loads),
      unit: 'loads',
      target,
      note: `answered within ${Math.round(spreadOf(times).median)} ms`,
    }
  } finally {
    await Promise.all(opened.map((contender) => contender.close()))
  }
}
