import type { Seeded } from '../helpers/seeded.js'
import { type Cast, EXTERNAL_IDS, type Sender, SENDERS, type Shot, type Tenant } from './cast.js'
import { type Operation, placesOf, type Schema } from './openapi.js'
import { BODIES, HEADERS, HUSH, NUMBERS, SEGMENTS, TEXTS, TYPES } from './values.js'

/** Paths that are in no document: pages, and what does not exist. */
const PATHS = [
  '/',
  '/dashboard',
  '/dashboard/SEGMENT',
  '/dashboard/../SEGMENT',
  '/docs',
  '/docs/SEGMENT',
  '/openapi.json/SEGMENT',
  '/nowhere/SEGMENT',
  '/api/SEGMENT',
  '/api//designs',
  '/api/designs//SEGMENT',
  '/API/DESIGNS',
  '/api/designs/SEGMENT/SEGMENT',
  '//a.example/api/designs',
  '/./api/./designs',
  '/api/users/../designs',
  '/.git/config',
  '/.env',
  '/.data/admin-token',
  '/package.json',
  '/node_modules/fastify/package.json',
  'http://a.example/api/designs',
  'http://x:y@localhost:1/api/users/me',
  'https://a.example',
  '*',
]
const METHODS = 'GET HEAD POST PUT PATCH DELETE OPTIONS TRACE PROPFIND QUERY LOCK FOO get'.split(' ')

/** A number as JSON can't have one from JSON.stringify: it stands in its place until the text is made. */
const NUMBER = /"#number (\d+)#"/g

/** Requests that a seed repeats: each a good one of some operation in which something, or nothing, is spoiled. */
export class Requests {
  readonly #random: Seeded
  readonly #cast: Cast
  readonly #operations: readonly Operation[]
  /** By operation: what of it was given a hostile value so far. */
  readonly spoiled = new Map<string, Set<string>>()
  #count = 0

  constructor(random: Seeded, cast: Cast, operations: readonly Operation[]) {
    this.#random = random
    this.#cast = cast
    this.#operations = operations
  }

  /** The next operation in turn, so that none is left out. */
  next(): Shot {
    this.#count += 1
    if (this.#chance(0.08)) return this.#astray()
    const operation = this.#operations[this.#count % this.#operations.length]
    if (operation === undefined) throw new Error('There are no operations')
    return this.#request(operation)
  }

  #request(operation: Operation): Shot {
    const sender = this.#senderFor(operation)
    const places = placesOf(operation)
    const spoiled = new Set<string>()
    for (let n = this.#random.below(4) - 1; n > 0 && places.length > 0; n -= 1) spoiled.add(this.#random.pick(places))
    const seen = this.spoiled.get(operation.name) ?? new Set()
    this.spoiled.set(operation.name, seen)
    for (const place of spoiled) seen.add(place)

    const externalId = this.#random.pick(EXTERNAL_IDS)
    const lines: string[] = []
    const query: string[] = []
    let path = operation.path
    for (const { name, place, isRequired, schema, example } of operation.parameters) {
      const isSpoiled = spoiled.has(`${place} ${name}`)
      if (place === 'path') {
        const segment = isSpoiled
          ? this.#segment()
          : encodeURIComponent(name === 'external_id' ? externalId : this.#idFor(name, operation.path, sender))
        path = path.replace(`{${name}}`, () => segment)
      } else if (isSpoiled || isRequired || this.#chance(place === 'query' ? 0.1 : 0.02)) {
        const value = isSpoiled
          ? this.#word()
          : this.#goodWord(name, schema, example, () => this.#idFor(name, operation.path, sender))
        if (place === 'header') lines.push(`${name}: ${value.replaceAll(/[\r\n\0]/g, '')}`)
        else query.push(`${name}=${this.#chance(0.1) ? value.replaceAll(/[^!-~]/g, '+') : encoded(value)}`)
      }
    }
    if (this.#chance(0.03)) query.push(`${this.#random.pick(['_', 'x', '__proto__', 'limit', 'ids[]'])}=${HUSH}`)
    if (this.#chance(0.05)) path = `${path}/`
    const body = this.#bodyOf(operation, { spoiled, sender, externalId })
    const target = `${path}${query.length > 0 ? `?${query.join('&')}` : ''}`
    return this.#shot({ operation: operation.name, method: operation.method, target, lines, body, sender })
  }

  /** A method and a path that are in no document together. */
  #astray(): Shot {
    const sender = this.#random.pick(SENDERS)
    const known = this.#random.pick(this.#operations).path.replaceAll(/{\w+}/g, () => this.#segment())
    const other = this.#random.pick(PATHS).replaceAll('SEGMENT', () => this.#segment())
    const target = this.#chance(0.5) ? known : other
    const method = this.#random.pick(METHODS)
    const body = this.#chance(0.3) ? Buffer.from(this.#random.pick(BODIES)) : undefined
    return this.#shot({ operation: 'astray', method, target, lines: [], body, sender })
  }

  #shot(parts: {
    readonly operation: string
    readonly method: string
    readonly target: string
    readonly lines: readonly string[]
    readonly body: Buffer | undefined
    readonly sender: Sender
  }): Shot {
    const { operation: route, method, target, body, sender } = parts
    const lines = [`${method} ${target} HTTP/1.1`, 'Host: localhost', ...this.#authorization(sender), ...parts.lines]
    for (let n = Math.max(0, this.#random.below(9) - 6); n > 0; n -= 1) lines.push(this.#header(sender))
    if (body !== undefined)
      lines.push(`Content-Type: ${this.#chance(0.92) ? 'application/json' : this.#random.pick(TYPES)}`)
    const isChunked = body !== undefined && this.#chance(0.1)
    if (isChunked) lines.push('Transfer-Encoding: chunked')
    else if (body !== undefined || this.#chance(0.1)) lines.push(`Content-Length: ${body?.length ?? 0}`)
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    const pieces: Buffer[] = [head]
    if (isChunked && body.length > 0) {
      const middle = this.#random.below(body.length)
      for (const chunk of [body.subarray(0, middle), body.subarray(middle)])
        if (chunk.length > 0)
          pieces.push(Buffer.from(`${chunk.length.toString(16)};${HUSH}=x\r\n`), chunk, Buffer.from('\r\n'))
    }
    if (isChunked) pieces.push(Buffer.from('0\r\n\r\n'))
    else if (body !== undefined) pieces.push(body)
    return { sender, route, pieces, methods: [method], answers: { least: 1, most: 1 } }
  }

  #senderFor({ tokens }: Operation): Sender {
    if (this.#chance(0.15)) return this.#random.pick(SENDERS)
    if (tokens.includes('userToken') && (tokens.length === 1 || this.#chance(0.6)))
      return this.#random.pick(['alice', 'bob'] as const)
    if (tokens.includes('adminToken')) return 'admin'
    return this.#random.pick(SENDERS)
  }

  #authorization(sender: Sender): string[] {
    if (sender === 'nobody') return []
    if (sender !== 'inventor') {
      const scheme = this.#chance(0.95) ? 'Bearer' : this.#random.pick(['bearer', 'BEARER  '])
      return [`Authorization: ${scheme} ${this.#cast.tokens[sender]}`]
    }
    const real = this.#cast.alice.token
    const other = real.endsWith('A') ? 'B' : 'A'
    const invented = [
      `Bearer ${real.slice(0, -1)}${other}`,
      `Bearer ${real.slice(0, 30)}${other}${real.slice(31)}`,
      `Bearer rh_${real.slice(4, 26)}_${'a'.repeat(43)}`,
      `Bearer rh2_${HUSH}`,
      `Bearer ${HUSH}${'x'.repeat(2_000)}`,
      `Bearer ${real}, Bearer ${this.#cast.tokens.admin}x`,
      `Bearer ${real}\t${HUSH}`,
      'Bearer',
      'Bearer \xe9\xff',
      `Basic ${Buffer.from(`${HUSH}:x`).toString('base64')}`,
      `Bearer ' or '1'='1`,
    ]
    return [`Authorization: ${this.#random.pick(invented)}`]
  }

  #header(sender: Sender): string {
    return this.#random.pick(HEADERS).replaceAll('ID', () => this.#idOf('designs', sender))
  }

  /** Mostly one of the sender's own, also those of others. An administrator may only name whom nobody needs any more. */
  #idOf(kind: string, sender: Sender): string {
    const { alice, bob, victim, doomed } = this.#cast
    const own: Tenant = sender === 'alice' ? alice : sender === 'bob' ? bob : doomed
    const others = sender === 'alice' || sender === 'bob' ? [alice, bob, victim] : [doomed]
    const tenant = this.#chance(0.75) ? own : this.#random.pick(others)
    return this.#random.pick(tenant.ids.get(kind) ?? [tenant.id])
  }

  /** By what a field is called: `template_ids`, `design_id`; `id` is one of the path's own kind. */
  #idFor(name: string, path: string, sender: Sender): string {
    const kind = /^(\w+)_ids?$/.exec(name)?.[1] ?? /^\/api\/(\w+?)s\b/.exec(path)?.[1] ?? 'design'
    return this.#idOf(`${kind}s`, sender)
  }

  #segment(): string {
    return this.#chance(0.6) ? this.#random.pick(SEGMENTS) : encoded(this.#random.pick(TEXTS)).slice(0, 8_000)
  }

  /** What stands in a query or a header instead of something good. */
  #word(): string {
    const kind = this.#random.below(6)
    if (kind === 0) return this.#random.pick(NUMBERS)
    if (kind === 1) return this.#random.pick(SEGMENTS)
    if (kind === 2) return HUSH
    if (kind === 3) return Array.from({ length: 150 }, () => this.#idOf('designs', 'alice')).join(',')
    return this.#random.pick(TEXTS)
  }

  #goodWord(name: string, schema: Schema, example: unknown, id: () => string): string {
    if (schema.format === 'uuid' || name === 'ids') return id()
    if (name === 'external_id') return this.#random.pick(EXTERNAL_IDS)
    const only = schema.enum === undefined ? example : this.#random.pick(schema.enum)
    return typeof only === 'string' || typeof only === 'number' || typeof only === 'boolean' ? String(only) : 'fox'
  }

  #bodyOf({ body, method, path }: Operation, filling: Omit<Filling, 'at' | 'path'>): Buffer | undefined {
    if (body === undefined) {
      if (method === 'GET' ? this.#chance(0.97) : this.#chance(0.8)) return undefined
      return Buffer.from(this.#random.pick(BODIES))
    }
    if (this.#chance(0.06)) return Buffer.from(this.#random.pick(BODIES))
    const value = this.#filled(body.example, body.schema, { ...filling, path, at: 'body ' })
    const text = JSON.stringify(value).replaceAll(NUMBER, (_, index: string) => NUMBERS[Number(index)] ?? '0')
    return Buffer.from(text, this.#chance(0.97) ? 'utf8' : 'latin1')
  }

  /** The example, with ids that there are, the sender's mark in its texts, and hostile values where `spoiled` says so. */
  #filled(example: unknown, schema: Schema, context: Filling): unknown {
    const { at, spoiled, sender, path, externalId } = context
    if (Array.isArray(example))
      return example.map((one) => this.#filled(one, schema.items ?? {}, { ...context, at: `${at.trimEnd()}[].` }))
    if (typeof example === 'object' && example !== null) {
      const names = new Set([...Object.keys(example), ...Object.keys(schema.properties ?? {})])
      const fields = [...names].flatMap((name): [string, unknown][] => {
        const inner = schema.properties?.[name] ?? {}
        const given: unknown = Reflect.get(example, name)
        const place = `${at}${name}`
        if (spoiled.has(place)) return this.#chance(0.1) ? [] : [[name, this.#value(0)]]
        if (given === undefined && !isInside(place, spoiled)) return []
        const made = given ?? (inner.type === 'array' || inner.items !== undefined ? [{}] : {})
        return [[name, this.#filled(made, inner, { ...context, at: nested(place, made) })]]
      })
      if (this.#chance(0.04))
        fields.push([this.#random.pick(['__proto__', 'constructor', 'id', 'user_id', HUSH]), HUSH])
      // What is called __proto__ must be a field of its own, as it is in a body.
      return Object.fromEntries(fields)
    }
    if (typeof example !== 'string') return example
    const name = /(\w+)(?:\[\])?[ .]*$/.exec(at)?.[1] ?? ''
    if (/^[0-9a-f-]{36}$/.test(example)) return this.#idFor(name, path, sender)
    if (example.startsWith('sku-')) return this.#chance(0.8) ? externalId : this.#random.pick(EXTERNAL_IDS)
    if (schema.format === 'email' || example.includes('@')) return `fuzz${this.#count}@example.com`
    if (sender !== 'alice' && sender !== 'bob') return example
    const isFree = schema.enum === undefined && schema.format === undefined && (schema.maxLength ?? 0) >= 100
    return isFree && !example.includes('/') ? `${this.#cast[sender].mark} ${this.#count}` : example
  }

  #value(depth: number): unknown {
    const kind = this.#random.below(depth > 3 ? 5 : 8)
    if (kind < 3) return this.#random.pick(TEXTS)
    if (kind === 3) return `#number ${this.#random.below(NUMBERS.length)}#`
    if (kind === 4) return this.#random.pick([null, true, false, 0, -1, 2 ** 31, 1e308, 0.5, HUSH, {}, []])
    if (kind === 5) return Array.from({ length: this.#random.below(300) }, () => 'x')
    const inner = Array.from({ length: this.#random.below(4) }, () => this.#value(depth + 1))
    if (kind === 6) return inner
    return Object.fromEntries(inner.map((value, n) => [n === 0 ? this.#random.pick(TEXTS) : `k${n}`, value]))
  }

  #chance(share: number): boolean {
    return this.#random.next() < share
  }
}

/** What one body is made for. */
interface Filling {
  /** The place: `body images[].` */
  readonly at: string
  readonly path: string
  readonly spoiled: ReadonlySet<string>
  readonly sender: Sender
  readonly externalId: string
}

function nested(place: string, value: unknown): string {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? `${place}.` : place
}

function isInside(place: string, spoiled: ReadonlySet<string>): boolean {
  return [...spoiled].some((one) => one.startsWith(`${place}.`) || one.startsWith(`${place}[]`))
}

/** Percent-encoding; half a pair of UTF-16 is encoded as if it were a character. */
function encoded(text: string): string {
  const parts = text.split(/(\p{Surrogate})/u)
  return parts.map((part) => (/^\p{Surrogate}$/u.test(part) ? '%ED%A0%80' : encodeURIComponent(part))).join('')
}
