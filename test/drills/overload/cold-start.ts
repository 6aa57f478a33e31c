import { setTimeout as sleep } from 'node:timers/promises'
import { atMost, counts, round, type Scene, streamOf } from './scene.js'
import { CoreWatch, epochNow, HIT_LIMIT_MS, secondsUntilNormal } from './stage.js'

const REPLICAS = 2
/** Each. */
const HIT_SHARE = 0.15
const RECOVERY_LIMIT_SECONDS = 5

/** PostgreSQL is restarted, so it has another identity and all that was cached is forgotten by all replicas at once, with traffic on each. */
export const coldStart: Scene = {
  name: 'cold-start',
  async run(stage) {
    const second = await stage.startService()
    try {
      const ports = [stage.service.port, second.port]
      const loads = await Promise.all(ports.map((port) => stage.everyday(HIT_SHARE, { port })))
      await Promise.all(loads.map((load) => load.go('warm')))
      await sleep(3_000)
      await Promise.all(loads.map((load) => load.phase('trouble')))
      const core = new CoreWatch(stage.service.pid)
      await stage.postgres.restart()
      const upAt = epochNow()
      await sleep(8_000)
      const used = core.end()
      await Promise.all(loads.map((load) => load.phase('after')))
      await sleep(2_000)
      const results = await Promise.all(loads.map((load) => load.stop()))
      const seconds = Math.max(...results.map((result) => secondsUntilNormal(result, upAt)))
      const [after, trouble] = ['after', 'trouble'].map((phase) => results.map((all) => streamOf(all, phase, 'hits')))
      const p99 = Math.max(...(after ?? []).map(({ answered }) => answered.p99))
      return {
        promises: [
          atMost('normal again, on both replicas, after PostgreSQL was back', seconds, RECOVERY_LIMIT_SECONDS, 's'),
          atMost('hits then, p99', p99, HIT_LIMIT_MS, 'ms'),
        ],
        notes: (trouble ?? []).map((hits, n) => `replica ${n} of ${REPLICAS}, from the restart on: ${counts(hits)}`),
        core: used,
        lateMs: Math.max(...(after ?? []).map(({ late }) => Number(round(late.p99)))),
      }
    } finally {
      await second.stop()
    }
  },
}
