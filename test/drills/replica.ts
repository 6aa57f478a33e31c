/**
 * One replica as a process of its own: the app that production runs, listening on PORT. It does what its parent says:
 * report, count what it holds, block its event loop, or end itself between a commit and the raise that follows it.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { buildApp } from '../../app.js'
import { loadConfig } from '../../plugins/config.js'
import type { VerifierCounts } from '../../services/cache/verifier.js'

/** What the parent asks. */
export type ReplicaOrder =
  | { readonly kind: 'report'; readonly id: number }
  | { readonly kind: 'figures'; readonly id: number }
  | { readonly kind: 'block'; readonly ms: number }
  | { readonly kind: 'crash-after-commit' }

/** What a replica says. */
export type ReplicaNews =
  | { readonly kind: 'listening' }
  | { readonly kind: 'blocked'; readonly ms: number }
  | { readonly kind: 'report'; readonly id: number; readonly report: ReplicaReport }
  | { readonly kind: 'figures'; readonly id: number; readonly figures: ProcessFigures }
  /** Of the last second. */
  | { readonly kind: 'verified'; readonly counts: VerifierCounts }

export interface ReplicaReport {
  readonly state: string
  /** Does it follow the journal, and use Redis? One whose Redis has come and gone too often does, and does not say `coherent` yet. */
  readonly isWell: boolean
  /** Requests that arrived since the start. */
  readonly requests: number
  /** Statements sent to the database since the start, by name. */
  readonly statements: Readonly<Record<string, number>>
}

/** Of the process, since it was asked before. */
export interface ProcessFigures {
  readonly residentBytes: number
  /** After a full collection, which asking begins. */
  readonly heapBytes: number
  /** What keeps the event loop busy: sockets, servers, timers. */
  readonly handles: number
  readonly loopDelayP99Ms: number
}

const statements: Record<string, number> = {}
const config = loadConfig(process.env)
const app = await buildApp(config, {
  logLevel: 'error',
  onQuery: (name) => (statements[name] = (statements[name] ?? 0) + 1),
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const loopDelay = monitorEventLoopDelay({ resolution: 10 })
loopDelay.enable()

let requests = 0
app.server.prependListener('request', (_request, response) => {
  requests += 1
  response.setHeader('x-drill-state', `${app.cache.state} pid=${process.pid}`)
})

const write = app.cache.write.bind(app.cache)
let isCrashArmed = false
// Services write by this: it resolves once the write has committed and its tags are in doubt.
app.cache.write = (tags, work) =>
  write(tags, async () => {
    const result = await work()
    if (isCrashArmed) process.kill(process.pid, 'SIGKILL')
    return result
  })

process.on('message', (order: ReplicaOrder) => {
  switch (order.kind) {
    case 'report':
      say({ kind: 'report', id: order.id, report: { state: app.cache.state, isWell: isWell(), requests, statements } })
      break
    case 'figures':
      say({ kind: 'figures', id: order.id, figures: figures() })
      break
    case 'block': {
      const startedAt = performance.now()
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.ms)
      say({ kind: 'blocked', ms: performance.now() - startedAt })
      break
    }
    case 'crash-after-commit':
      isCrashArmed = true
      break
  }
})
process.on('disconnect', () => process.exit())

// Told step by step, since a killed process takes its counts along.
const TELL_EVERY_MS = 1_000
let told: VerifierCounts = { confirmed: 0, missed: 0, undecided: 0 }
setInterval(() => {
  const { verified } = app.cache.stats()
  const { confirmed, missed, undecided } = verified
  say({
    kind: 'verified',
    counts: {
      confirmed: confirmed - told.confirmed,
      missed: missed - told.missed,
      undecided: undecided - told.undecided,
    },
  })
  told = { ...verified }
}, TELL_EVERY_MS).unref()

await app.listen({ host: '127.0.0.1', port: config.port })
say({ kind: 'listening' })

function isWell(): boolean {
  const { state } = app.cache
  return state === 'coherent' || (state === 'memory-only' && app.cache.health().redis === 'unstable')
}

function figures(): ProcessFigures {
  const residentBytes = process.memoryUsage.rss()
  collect()
  const loopDelayP99Ms = loopDelay.percentile(99) / 1e6
  loopDelay.reset()
  const handles = process.getActiveResourcesInfo().length
  return { residentBytes, heapBytes: process.memoryUsage().heapUsed, handles, loopDelayP99Ms }
}

function say(news: ReplicaNews): void {
  process.send?.(news)
}
