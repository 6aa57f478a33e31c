/** All clients of a drill, in a process of their own with one clock: they read, write, and check every answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import { finalCheck, type FinalReport } from './final-check.js'
import { Ledger, type LedgerReport } from './ledger.js'
import { Seeded } from '../helpers/seeded.js'
import { makeShops } from './shops.js'
import { Tenant } from './tenant.js'
import { Worker } from './worker.js'

export interface ClientOptions {
  readonly ports: readonly number[]
  readonly adminToken: string
  /** Past every link: for the final check. */
  readonly databaseUrl: string
  readonly seed: number
  readonly boundMs: number
  readonly workersPerReplica: number
}

export type ClientOrder =
  | { readonly kind: 'start'; readonly options: ClientOptions }
  | { readonly kind: 'phases'; readonly phases: readonly string[] }
  | { readonly kind: 'stop' }

export type ClientNews =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly operations: number; readonly violations: number }
  | { readonly kind: 'result'; readonly result: ClientReport }

export interface ClientReport extends LedgerReport {
  readonly elapsedMs: number
  readonly authChanges: Readonly<Record<string, number>>
  readonly final: FinalReport
}

const SHOPS = 16
const TENANTS = 8
const PROGRESS_MS = 1_000

const ledger = new Ledger()
let isStopped = false

process.on('message', (order: ClientOrder) => {
  if (order.kind === 'start') void run(order.options)
  else if (order.kind === 'phases') ledger.phases = order.phases
  else isStopped = true
})
process.on('disconnect', () => process.exit())

async function run(options: ClientOptions): Promise<void> {
  const { ports, adminToken, seed, boundMs } = options
  const shops = await makeShops({ port: ports[0] ?? 0, adminToken, shops: SHOPS })
  const common = { ledger, boundMs, isStopped: () => isStopped }
  const workers = ports.flatMap((port, replica) =>
    Array.from({ length: options.workersPerReplica }, (_, n) => {
      const random = new Seeded(seed + 1_000 * (replica + 1) + n)
      return new Worker({ ...common, replica, port, shops, random })
    }),
  )
  const tenants = Array.from({ length: TENANTS }, (_, n) => {
    return new Tenant({ ...common, ports, adminToken, random: new Seeded(seed + 100_000 + n) })
  })
  say({ kind: 'ready' })
  const startedAt = performance.now()
  const progress = setInterval(() => {
    const violations = Object.values(ledger.report().violationCount).reduce((sum, count) => sum + count, 0)
    say({ kind: 'progress', operations: ledger.operations, violations })
  }, PROGRESS_MS)
  await Promise.all([...workers, ...tenants].map((client) => client.run()))
  clearInterval(progress)
  const elapsedMs = performance.now() - startedAt
  await sleep(2 * boundMs)
  const authChanges: Record<string, number> = {}
  for (const { done } of tenants) {
    for (const [kind, count] of Object.entries(done)) authChanges[kind] = (authChanges[kind] ?? 0) + count
  }
  const final = await finalCheck({ shops, ports, databaseUrl: options.databaseUrl })
  say({ kind: 'result', result: { ...ledger.report(), elapsedMs, authChanges, final } })
}

function say(news: ClientNews): void {
  process.send?.(news)
}
