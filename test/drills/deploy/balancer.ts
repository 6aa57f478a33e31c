/**
 * The balancer of the deploy drill, in a process of its own: each request goes to a replica at random, over connections that are kept
 * alive. It sends nothing twice: what a connection does not answer is a 502, whatever the method.
 */
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'

export type BalancerOrder = { readonly kind: 'targets'; readonly ports: readonly number[] }
export type BalancerNews =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'targets'; readonly ports: readonly number[] }

/** Which replica answered, or why none did. */
export const REPLICA_HEADER = 'x-drill-replica'
export const FAULT_HEADER = 'x-drill-fault'

/** Those of one connection only (RFC 9110, 7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade']
/** Longer than any client keeps a connection: whoever opened it closes it. */
const CLIENTS_KEEP_ALIVE_MS = 120_000

let targets: readonly number[] = []
const agents = new Map<number, Agent>()

const server = createServer({ keepAliveTimeout: CLIENTS_KEEP_ALIVE_MS, requestTimeout: 0 }, forward)
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') say({ kind: 'listening', port: address.port })
})
process.on('message', (order: BalancerOrder) => {
  targets = order.ports
  say({ kind: 'targets', ports: targets })
})
process.on('disconnect', () => process.exit())

function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const port = targets[Math.floor(Math.random() * targets.length)]
  if (port === undefined) return fail(outgoing, 'no replica', port)
  const { method = 'GET', url: path = '/' } = incoming
  const options = { host: '127.0.0.1', port, method, path, headers: ofMessage(incoming.headers), agent: agentOf(port) }
  const upstream = request(options, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, { ...ofMessage(answer.headers), [REPLICA_HEADER]: String(port) })
    outgoing.flushHeaders()
    answer.pipe(outgoing)
    // Half an answer must not look like a whole one.
    answer.once('close', () => answer.complete || outgoing.destroy())
  })
  upstream.on('error', (error: NodeJS.ErrnoException) => {
    if (outgoing.headersSent) outgoing.destroy()
    else fail(outgoing, `${error.code ?? error.message}${upstream.reusedSocket ? ' on a kept connection' : ''}`, port)
  })
  outgoing.once('close', () => outgoing.writableFinished || upstream.destroy())
  incoming.pipe(upstream)
}

function fail(outgoing: ServerResponse, fault: string, port: number | undefined): void {
  if (outgoing.destroyed) return
  const text = `${fault}, replica ${port}`
  outgoing.writeHead(502, { [FAULT_HEADER]: text, 'content-type': 'text/plain' }).end(text)
}

/** All connections are used in turn, so that none is forgotten. */
function agentOf(port: number): Agent {
  let agent = agents.get(port)
  if (agent === undefined) agents.set(port, (agent = new Agent({ keepAlive: true, scheduling: 'fifo' })))
  return agent
}

function ofMessage(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)))
}

function say(news: BalancerNews): void {
  process.send?.(news)
}
