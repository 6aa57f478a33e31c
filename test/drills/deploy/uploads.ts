import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpAnswer } from '../../helpers/http-connection.js'
import { type DesignBody, newDesign, nextCounter, type Shop } from '../catalogue.js'
import type { ReaderOptions } from './streams.js'

export interface UploaderOptions extends ReaderOptions {
  readonly shops: readonly Shop[]
  /** How long one upload takes, at least and at most. */
  readonly lowMs: number
  readonly highMs: number
  readonly onLeaving: (port: number) => void
}

const PIECES = 20
const BODY_BYTES = 20_000

/** Sends new designs slowly, one after the other, over kept connections. */
export class Uploader {
  done = 0
  readonly #options: UploaderOptions
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(options: UploaderOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { isStopped, random, lowMs, highMs } = this.#options
    while (!isStopped()) await this.#upload(random.between(lowMs, highMs))
    this.#agent.destroy()
  }

  async #upload(ms: number): Promise<void> {
    const { ledger, random, shops, port: next, onRefused, onLeaving, isStopped } = this.#options
    const [shop, port, counter, begunIn] = [random.pick(shops), next(), nextCounter(), ledger.phases]
    // White space is as slow as anything else.
    const text = JSON.stringify(newDesign(counter)).padEnd(BODY_BYTES)
    const headers = {
      authorization: `Bearer ${shop.token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    }
    const options = { host: '127.0.0.1', port, method: 'POST', path: '/api/designs', headers, agent: this.#agent }
    const sent = request(options)
    shop.creating.add(counter)
    try {
      const answered = once(sent, 'response') as Promise<[IncomingMessage]>
      answered.catch(() => {})
      for (let n = 0; n < PIECES && !sent.destroyed; n++) {
        sent.write(text.slice((n * BODY_BYTES) / PIECES, ((n + 1) * BODY_BYTES) / PIECES))
        if (!isStopped()) await sleep(ms / PIECES)
      }
      sent.end()
      // What the replica takes, not the client.
      const begunAt = performance.now()
      const [response] = await answered
      const body = Buffer.concat(await response.toArray())
      if (response.headers.connection === 'close') onLeaving(port)
      const parts = { status: response.statusCode ?? 0, body, begunAt, endedAt: performance.now() }
      const answer = new HttpAnswer(parts, response.headers)
      ledger.answered('upload', answer, begunIn)
      if (answer.status !== 201) return
      this.done += 1
      shop.created(JSON.parse(answer.text) as DesignBody, answer.endedAt)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      if (code === 'ECONNREFUSED') onRefused(port)
      else ledger.failed('upload', code, begunIn, `port ${port}, of ${Math.round(ms)} ms`)
    }
  }
}
