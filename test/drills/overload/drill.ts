import { loadavg } from 'node:os'
import { goneClients, slowReader, tooLarge } from './bad-clients.js'
import { hungPostgres, lockedTable } from './broken-database.js'
import { busyWriter, ownReader } from './busy-tenant.js'
import { coldStart } from './cold-start.js'
import { flood } from './flood.js'
import { gzipLists } from './gzip-lists.js'
import { connections, idleConnections } from './many-connections.js'
import type { Scene, SceneResult } from './scene.js'
import { OverloadStage, type Rates, type StageOptions } from './stage.js'

/** In the order of the table. */
export const scenes: readonly Scene[] = [
  flood,
  lockedTable,
  hungPostgres,
  connections,
  idleConnections,
  slowReader,
  goneClients,
  tooLarge,
  gzipLists,
  coldStart,
  busyWriter,
  ownReader,
]

export interface OverloadReport {
  readonly rates: Rates
  readonly scenes: readonly (SceneResult & { readonly name: string; readonly load: number })[]
}

/** Plays the scenes, one after the other, on one stage. */
export async function runOverloadDrill(chosen: readonly Scene[], options: StageOptions): Promise<OverloadReport> {
  const stage = await OverloadStage.start(options)
  const played: OverloadReport['scenes'][number][] = []
  try {
    for (const scene of chosen) {
      const load = loadavg()[0] ?? Number.NaN
      options.log(`${scene.name} (load ${load.toFixed(1)})`)
      const result = await scene.run(stage)
      for (const note of result.notes) options.log(`  ${note}`)
      played.push({ name: scene.name, load, ...result })
    }
    return { rates: stage.rates, scenes: played }
  } finally {
    await stage.stop()
  }
}
