/**
 * One replica as a process of its own: the app that production runs, listening on PORT. It does what its parent says:
 * report, block its event loop, or end itself between a commit and the raise that follows it.
 */
import { buildApp } from '../../app.js'
import { loadConfig } from '../../plugins/config.js'

/** What the parent asks. */
export type ReplicaOrder =
  | { readonly kind: 'report'; readonly id: number }
  | { readonly kind: 'block'; readonly ms: number }
  | { readonly kind: 'crash-after-commit' }

/** What a replica says. */
export type ReplicaNews =
  | { readonly kind: 'listening' }
  | { readonly kind: 'blocked'; readonly ms: number }
  | { readonly kind: 'report'; readonly id: number; readonly report: ReplicaReport }

export interface ReplicaReport {
  readonly state: string
  /** Requests that arrived since the start. */
  readonly requests: number
  /** Statements sent to the database since the start, by name. */
  readonly statements: Readonly<Record<string, number>>
}

const statements: Record<string, number> = {}
const config = loadConfig(process.env)
const app = await buildApp(config, {
  logLevel: 'error',
  onQuery: (name) => (statements[name] = (statements[name] ?? 0) + 1),
})

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
      say({ kind: 'report', id: order.id, report: { state: app.cache.state, requests, statements } })
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

await app.listen({ host: '127.0.0.1', port: config.port })
say({ kind: 'listening' })

function say(news: ReplicaNews): void {
  process.send?.(news)
}
