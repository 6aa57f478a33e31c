import { setTimeout as sleep } from 'node:timers/promises'
import type { StreamOrder, StreamResult, Times } from './load.js'
import { counts, round, type Promised, type Scene, type SceneResult, streamOf } from './scene.js'
import { CoreWatch, MISS_LIMIT_MS, type OverloadStage } from './stage.js'
import { get, writesOf } from './tenants.js'

const ROUNDS = 5
const LARGEST_FACTOR = 2
const HIT_SHARE = 0.25
/** Requests that one client of a tenant has under way: as many as a busy program has, not a swarm. */
const BUSY_CONNECTIONS = 8

/** One tenant writes as fast as it is answered. */
export const busyWriter: Scene = {
  name: 'busy-writer',
  run: (stage) =>
    beside(stage, [
      {
        name: 'busy',
        requests: writesOf(stage.cast.large.slice(0, 1)),
        connections: BUSY_CONNECTIONS,
        slowMs: MISS_LIMIT_MS,
      },
    ]),
}

/** One tenant reads nothing but what it has just written, as fast as it is answered. */
export const ownReader: Scene = {
  name: 'own-reader',
  run(stage) {
    const [tenant] = stage.cast.large
    if (tenant === undefined) throw new Error('There is a tenant')
    const requests = writesOf([tenant]).flatMap((write, n) => [
      write,
      get(`/api/designs/${tenant.designIds[n]}`, tenant),
      get('/api/designs?limit=5', tenant),
    ])
    return beside(stage, [{ name: 'busy', requests, connections: 1, slowMs: MISS_LIMIT_MS }])
  },
}

/** With and without, in turns, so that the machine is the same for both as far as it can be; the medians are compared. */
async function beside(stage: OverloadStage, streams: readonly StreamOrder[]): Promise<SceneResult> {
  const day = await stage.everyday(HIT_SHARE)
  await day.go('warm')
  await sleep(2_000)
  const busy: StreamResult[] = []
  const core = new CoreWatch(stage.service.pid)
  for (let n = 0; n < ROUNDS; n++) {
    await day.phase(`alone ${n}`)
    await sleep(stage.options.seconds * 1_000)
    const load = await stage.load(streams)
    await day.phase(`beside ${n}`)
    await load.go('busy')
    await sleep(stage.options.seconds * 1_000)
    await day.phase('between')
    busy.push(streamOf(await load.stop(), 'busy', 'busy'))
  }
  const used = core.end()
  const result = await day.stop()
  const rounds = (phase: string, name: string): StreamResult[] =>
    Array.from({ length: ROUNDS }, (_, n) => streamOf(result, `${phase} ${n}`, name))
  const compared = (name: string, of: keyof Pick<Times, 'p50' | 'p99'>): readonly [number, number] => {
    const [alone, next] = ['alone', 'beside'].map((phase) => median(rounds(phase, name).map((one) => one.answered[of])))
    return [alone ?? 0, next ?? 0]
  }
  const promises = ['hits', 'misses', 'writes'].map((name) =>
    atMostTwice(`p99 of the others' ${name}`, compared(name, 'p99')),
  )
  const lates = rounds('beside', 'hits').map(({ late }) => late.p99)
  const p50s = ['hits', 'misses', 'writes'].map((name) => `${name} ${compared(name, 'p50').map(round).join(' → ')}`)
  return {
    promises,
    notes: [
      `the busy one, last round: ${busy.at(-1) === undefined ? '' : counts(busy.at(-1)!)}`,
      `p50 of the others: ${p50s.join(', ')} ms`,
    ],
    lateMs: median(lates),
    core: used,
  }
}

function atMostTwice(what: string, [alone, beside]: readonly [number, number]): Promised {
  return {
    what: `${what}, alone ${round(alone)} ms`,
    limit: `≤ ${LARGEST_FACTOR} ×`,
    measured: `${round(beside)} ms, ${(beside / alone).toFixed(2)} ×`,
    isHeld: beside <= LARGEST_FACTOR * alone,
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}
