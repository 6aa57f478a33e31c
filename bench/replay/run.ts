import { grouped, openProgress } from '../../commands/progress.js'
import { replay } from './load.js'
import type { Catalogue, ServiceReport } from './protocol.js'
import { resultOf, type Result } from './result.js'
import { ServiceProcess } from './service-process.js'
import { environmentOf, settings, type Servers, type Setting } from './settings.js'
import type { Trace } from './trace.js'

export interface RunOptions {
  readonly trace: Trace
  readonly servers: Servers
  readonly concurrency: number
  readonly settings?: readonly Setting[]
}

/**
 * Replays the trace once against each setting, on a catalogue of a fresh user, who is deleted in the end. Each replay
 * has a service process of its own; Redis is new to the user, whatever else it holds.
 */
export async function runReplays(options: RunOptions): Promise<Result[]> {
  const { trace, servers } = options
  const catalogue = await withService('no cache', servers, (service) =>
    service.ask({ name: 'make-catalogue', pages: trace.pages }),
  )
  try {
    const results: Result[] = []
    for (const setting of options.settings ?? settings) results.push(await replayOn(setting, options, catalogue))
    return results
  } finally {
    await withService('no cache', servers, (service) => service.ask({ name: 'delete-user', userId: catalogue.userId }))
  }
}

async function replayOn(setting: Setting, options: RunOptions, catalogue: Catalogue): Promise<Result> {
  const { trace, servers, concurrency } = options
  return withService(setting, servers, async (service) => {
    const progress = openProgress(trace.requests.length)
    const onProgress = (done: number): void => progress.update(done, `${setting}: ${grouped(done)} requests`)
    let before: ServiceReport | undefined
    const onWarm = async (): Promise<void> => void (before = await service.ask({ name: 'report' }))
    const measured = await replay({ port: service.port, trace, catalogue, concurrency, onWarm, onProgress })
    onProgress(trace.requests.length)
    progress.end()
    return resultOf(setting, measured, since(before, await service.ask({ name: 'report' })))
  })
}

function since(before: ServiceReport | undefined, after: ServiceReport): ServiceReport {
  const counts = Object.entries(after.queries).map(([name, count]) => [name, count - (before?.queries[name] ?? 0)])
  return { ...after, queries: Object.fromEntries(counts), cpuSeconds: after.cpuSeconds - (before?.cpuSeconds ?? 0) }
}

async function withService<T>(
  setting: Setting,
  servers: Servers,
  work: (service: ServiceProcess) => Promise<T>,
): Promise<T> {
  const service = await ServiceProcess.start(environmentOf(setting, servers))
  try {
    return await work(service)
  } finally {
    await service.stop()
  }
}
