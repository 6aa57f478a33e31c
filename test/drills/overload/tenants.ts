import { HttpConnection, type HttpRequest } from '../../helpers/http-connection.js'
import type { Seeded } from '../../helpers/seeded.js'

export interface Tenant {
  readonly token: string
  readonly designIds: readonly string[]
}

/** About 1 KiB of JSON each. */
const DESCRIPTION = 'A pattern of leaves in four colours, drawn by hand and printed on cotton. '.repeat(8).trim()
/** A list of a hundred such designs is just below half a MiB. */
const LARGE_CHARACTERS = 4_000

/** Users with a token and designs, made over HTTP. */
export class Tenants {
  readonly #connection: HttpConnection
  readonly #adminToken: string
  readonly #random: Seeded
  #made = 0

  constructor({ port, adminToken, random }: { port: number; adminToken: string; random: Seeded }) {
    this.#connection = new HttpConnection(port)
    this.#adminToken = adminToken
    this.#random = random
  }

  async make(tenants: number, designs: number, { isLarge = false } = {}): Promise<Tenant[]> {
    const made: Tenant[] = []
    for (let n = 0; n < tenants; n++) made.push(await this.#make(designs, isLarge))
    return made
  }

  close(): void {
    this.#connection.close()
  }

  async #make(designs: number, isLarge: boolean): Promise<Tenant> {
    const number = (this.#made += 1)
    const person = { email: `tenant-${number}@example.com`, shop_name: `Shop ${number}` }
    const user = await this.#post<{ id: string }>('/api/users', this.#adminToken, person)
    const path = `/api/users/${user.id}/tokens`
    const { token } = await this.#post<{ token: string }>(path, this.#adminToken, { name: 'drill' })
    const operations = Array.from({ length: designs }, (_, n) => ({ op: 'create', row: this.#design(n, isLarge) }))
    const { results } = await this.#post<{ results: { id: string }[] }>('/api/designs/bulk', token, { operations })
    return { token, designIds: results.map(({ id }) => id) }
  }

  #design(n: number, isLarge: boolean): object {
    const design = {
      filename: `design-${n}.png`,
      file_path: `designs/design-${n}.png`,
      description: DESCRIPTION,
      platform: 'etsy',
      tags: ['leaves'],
    }
    return isLarge ? { ...design, metadata: { text: this.#text(LARGE_CHARACTERS) } } : design
  }

  /** Half of it shrinks. */
  #text(length: number): string {
    let text = ''
    while (text.length < length) text += `leaf ${this.#random.next().toString(36).slice(2, 10)} `
    return text.slice(0, length)
  }

  async #post<T>(path: string, token: string, body: object): Promise<T> {
    const request: HttpRequest = { method: 'POST', path, token, body }
    const answer = await this.#connection.send(request)
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`)
    return JSON.parse(answer.text) as T
  }
}

/** As it goes over the wire. */
export function get(path: string, { token }: Tenant, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`
}

export function patch(path: string, { token }: Tenant, body: string): string {
  const length = body.replaceAll('{n}', '123456789').length
  const head = `PATCH ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n`
  return `${head}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`
}

/** Rows that are read again and again. */
export function hitsOf(tenants: readonly Tenant[]): string[] {
  return tenants.flatMap((tenant) => tenant.designIds.map((id) => get(`/api/designs/${id}`, tenant)))
}

/** Lists that nobody has asked for before: each is one statement of its own. */
export function missesOf(tenants: readonly Tenant[]): string[] {
  return tenants.map((tenant) => get('/api/designs?external_id={n}', tenant))
}

export function writesOf(tenants: readonly Tenant[]): string[] {
  const rounds = Math.max(...tenants.map(({ designIds }) => designIds.length))
  const requests: string[] = []
  // Users take turns, as their requests would come.
  for (let n = 0; n < rounds; n++) {
    for (const tenant of tenants) {
      const id = tenant.designIds[n]
      if (id !== undefined) requests.push(patch(`/api/designs/${id}`, tenant, '{"description":"{n}"}'))
    }
  }
  return requests
}
