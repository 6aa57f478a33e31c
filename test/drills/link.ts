import { once } from 'node:events'
import { createConnection, createServer, type Server, type Socket } from 'node:net'

/** What a link does with bytes: it holds those of a black-holed direction and delivers them late, on {@link Link.restore}. */
type Direction = 'toServer' | 'toClient'

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** What is delivered once the direction is restored; `undefined` says goodbye. */
  readonly held: Record<Direction, (Buffer | undefined)[]>
}

/** A TCP link between one replica and one server that can be cut and black-holed, one direction at a time. */
export class Link {
  readonly port: number
  /** Bytes that went into a black hole, of all times. */
  heldBytes = 0
  readonly #listener: Server
  readonly #pairs = new Set<Pair>()
  readonly #deaf = new Set<Direction>()
  #isCut = false
  #targetPort: number

  private constructor(listener: Server, port: number, targetPort: number) {
    this.#listener = listener
    this.port = port
    this.#targetPort = targetPort
    listener.on('connection', (client) => this.#join(client, this.#targetPort))
  }

  static async open(targetPort: number): Promise<Link> {
    const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const address = listener.address()
    if (address === null || typeof address === 'string') throw new Error('A TCP server has a port')
    return new Link(listener, address.port, targetPort)
  }

  get connections(): number {
    return this.#pairs.size
  }

  /** New connections lead to another server, as after a failover; those there are stay. */
  lead(targetPort: number): void {
    this.#targetPort = targetPort
  }

  /** Breaks every connection and each new one. */
  cut(): void {
    this.#isCut = true
    for (const pair of this.#pairs) {
      pair.client.destroy()
      pair.server.destroy()
    }
  }

  /** From now on nothing arrives that way, and nobody is told. */
  blackHole(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#deaf.add(direction)
  }

  /** Delivers what was held, late, and works again. */
  restore(): void {
    this.#isCut = false
    this.#deaf.clear()
    for (const pair of this.#pairs) {
      for (const direction of ['toServer', 'toClient'] as const) {
        for (const chunk of pair.held[direction].splice(0)) deliver(pair, direction, chunk)
      }
    }
  }

  close(): void {
    this.#listener.close()
    this.cut()
  }

  #join(client: Socket, targetPort: number): void {
    if (this.#isCut) {
      client.destroy()
      return
    }
    const server = createConnection({ port: targetPort, host: '127.0.0.1', noDelay: true })
    const pair: Pair = { client, server, held: { toServer: [], toClient: [] } }
    this.#pairs.add(pair)
    this.#forward(pair, client, 'toServer')
    this.#forward(pair, server, 'toClient')
  }

  #forward(pair: Pair, from: Socket, direction: Direction): void {
    const pass = (chunk: Buffer | undefined): void => {
      if (!this.#deaf.has(direction)) return deliver(pair, direction, chunk)
      this.heldBytes += chunk?.length ?? 0
      pair.held[direction].push(chunk)
    }
    from.on('data', pass)
    from.on('error', () => {})
    from.on('close', () => {
      pass(undefined)
      if (pair.client.destroyed && pair.server.destroyed) this.#pairs.delete(pair)
    })
  }
}

function deliver(pair: Pair, direction: Direction, chunk: Buffer | undefined): void {
  const to = direction === 'toServer' ? pair.server : pair.client
  if (chunk === undefined) to.destroySoon()
  else if (!to.destroyed) to.write(chunk)
}
