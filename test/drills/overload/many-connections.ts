import { setTimeout as sleep } from 'node:timers/promises'
import { boundedWait, counts, exactly, failuresOf, ordeal, resultOf, type Scene, streamOf } from './scene.js'
import { HIT_LIMIT_MS, MISS_LIMIT_MS, residentMB } from './stage.js'
import { hitsOf, missesOf } from './tenants.js'

const [READERS, IDLE] = [2_000, 10_000]

/** 2,000 connections that ask for what is not cached, each as soon as it is answered, or two seconds after it was refused. */
export const connections: Scene = {
  name: 'connections',
  async run(stage) {
    const load = await stage.load([
      { name: 'misses', requests: missesOf(stage.cast.flooders), connections: READERS, slowMs: MISS_LIMIT_MS },
    ])
    let ending: ReturnType<typeof load.stop> | undefined
    const ended = await ordeal(stage, 0.25, async () => {
      await load.go('trouble')
      await sleep(stage.options.seconds * 1_000)
      ending = load.stop()
      ending.catch(() => {})
    })
    const result = await ending
    if (result === undefined) throw new Error('Unreachable')
    const misses = streamOf(result, 'trouble', 'misses')
    const promises = [
      ...boundedWait('uncached reads', misses),
      exactly('uncached reads without any answer', failuresOf(misses), 0),
      exactly('of them refused without Retry-After', misses.unguided, 0),
    ]
    const opened = `${READERS} connections were open after ${Math.round(result.openedMs)} ms`
    return resultOf(ended, promises, [opened, `uncached reads: ${counts(misses)}`])
  },
}

/** 10,000 connections that have had an answer once. */
export const idleConnections: Scene = {
  name: 'idle-connections',
  async run(stage) {
    const before = residentMB(stage.service.pid)
    const requests = hitsOf(stage.cast.readers)
    const perSecond = 4_000
    const load = await stage.load([
      { name: 'idle', requests, connections: IDLE, isEachOnce: true, perSecond, slowMs: HIT_LIMIT_MS },
    ])
    await load.go('trouble')
    await sleep((IDLE / perSecond) * 1_000 + 1_000)
    const mb = residentMB(stage.service.pid) - before
    const ended = await ordeal(stage, 0.25, () => sleep(stage.options.seconds * 1_000))
    const result = await load.stop()
    const idle = streamOf(result, 'trouble', 'idle')
    const promises = [exactly('connections that had their answer', idle.answered.count, IDLE)]
    const notes = [
      `open after ${Math.round(result.openedMs)} ms; ${((mb * 1_000) / IDLE).toFixed(1)} KB of memory each`,
    ]
    return resultOf(ended, promises, notes)
  },
}
