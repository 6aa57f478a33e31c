import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { ADMIN_TOKEN } from '../helpers/app.js'
import { ServiceProcess } from '../helpers/service-process.js'
import { freePort } from '../helpers/servers/servers.js'

export const READ_TOKEN = 'a-token-that-may-only-look-0123456789'

export interface Replica {
  readonly url: string
  readonly process: ServiceProcess
}

/** A replica as a process of its own. */
export async function startReplica(test: Test, name: string, env: Record<string, string>): Promise<Replica> {
  const port = await freePort()
  const process = new ServiceProcess(test, {
    PORT: `${port}`,
    HOST: '127.0.0.1',
    NODE_ENV: 'test',
    RAILWAY_REPLICA_ID: name,
    ADMIN_TOKENS: `ops:${ADMIN_TOKEN},looker:read:${READ_TOKEN}`,
    ...env,
  })
  await process.listening()
  return { url: `http://127.0.0.1:${port}`, process }
}

/** What a shop does all day, with rows of its own. */
export class Shop {
  readonly #token: string
  readonly designs: string[] = []
  isOpen = true

  private constructor(
    readonly userId: string,
    token: string,
  ) {
    this.#token = token
  }

  static async open(url: string, designs: number): Promise<Shop> {
    const email = `shop-${Math.random().toString(36).slice(2)}@example.com`
    const user = await post(url, '/api/users', ADMIN_TOKEN, { email, shop_name: 'Fox Prints' })
    const { token } = await post(url, `/api/users/${String(user['id'])}/tokens`, ADMIN_TOKEN, { name: 'till' })
    const shop = new Shop(String(user['id']), String(token))
    for (let n = 0; n < designs; n++) {
      const body = { filename: `fox-${n}.png`, file_path: `/designs/fox-${n}.png`, platform: 'etsy' }
      shop.designs.push(String((await post(url, '/api/designs', shop.#token, body))['id']))
    }
    return shop
  }

  async read(url: string, path: string): Promise<Response> {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${this.#token}` } })
    await response.arrayBuffer()
    return response
  }

  async change(url: string, id: string, description: string): Promise<void> {
    await fetch(`${url}/api/designs/${id}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ description }),
    }).then((response) => response.arrayBuffer())
  }

  /** Reads on all of `urls` and a write now and then, until it closes; who does not answer is left out. */
  async trade(urls: readonly string[], { pauseMs = 5, writes = 0.03 } = {}): Promise<void> {
    for (let n = 0; this.isOpen; n++) {
      // Some designs are read far more often than others.
      const id = this.designs[Math.floor(this.designs.length * Math.random() ** 3)] ?? ''
      const url = urls[n % urls.length] ?? ''
      const work =
        Math.random() < writes
          ? this.change(url, id, `sold ${n} times`)
          : this.read(url, n % 7 === 0 ? '/api/designs?limit=20' : `/api/designs/${id}`)
      await work.catch(() => undefined)
      await sleep(pauseMs * (0.5 + Math.random()))
    }
  }
}

async function post(url: string, path: string, token: string, body: object): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`)
  return (await response.json()) as Record<string, unknown>
}
