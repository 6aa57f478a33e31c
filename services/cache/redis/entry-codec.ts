import { hash, hkdfSync, timingSafeEqual } from 'node:crypto'
import { parseSnapshot, type Snapshot } from '../core/snapshot.js'

/** How values become text for Redis and back, and what they weigh in memory. */
export interface Codec {
  /** As Unicode: a surrogate without its other half would come back as something else. What it throws is told, and the value is not kept. */
  encode(value: unknown): string
  /** `undefined`, or an error, for a text that this codec would not have made: a miss. */
  decode(text: string): unknown
  /** Bytes in memory, about, from 0; `text` is the encoded value where that was made anyway. */
  weigh(value: unknown, text?: string): number
  /** Whether two values answer the same; they do where their texts are equal, if absent. */
  isSame?(one: unknown, other: unknown): boolean
}

/** Plain data as JSON. It is frozen, since every caller gets the same object; what JSON gives back as something else is refused. */
export const jsonCodec: Codec = {
  encode: jsonOf,
  decode(text) {
    try {
      return deepFreeze(JSON.parse(text))
    } catch {
      return undefined
    }
  },
  weigh: (value, text = jsonOf(value)) => 2 * text.length,
}

/** Buffers as they are. */
export const bytesCodec: Codec = {
  encode: (value) => bytesOf(value).toString('base64'),
  decode(text) {
    const bytes = Buffer.from(text, 'base64')
    return bytes.toString('base64') === text ? bytes : undefined
  },
  weigh: (value) => bytesOf(value).byteLength,
}

function bytesOf(value: unknown): Buffer {
  if (!(value instanceof Uint8Array)) throw new TypeError('bytesCodec caches Buffers and Uint8Arrays only')
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function jsonOf(value: unknown): string {
  // First: it throws for what refers to itself.
  const text = JSON.stringify(value)
  deepFreeze(value)
  return text
}

/** @throws TypeError for what JSON gives back as something else: memory and Redis would answer differently */
function deepFreeze(value: unknown): unknown {
  if (!isPlain(value)) {
    const what = typeof value === 'object' ? value?.constructor.name : `this ${typeof value}`
    throw new TypeError(`JSON gives ${what} back as something else: cache plain data, or with a codec of your own`)
  }
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}

/** An object may be of another realm, so its constructor tells nothing. A property that is undefined reads the same when it is left out. */
function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return !value.includes(undefined)
  if (typeof value === 'object' && value !== null) {
    const prototype: unknown = Object.getPrototypeOf(value)
    return prototype === null || Object.getPrototypeOf(prototype) === null
  }
  return typeof value === 'number' ? Number.isFinite(value) : !['bigint', 'function', 'symbol'].includes(typeof value)
}

/** What Redis holds of an entry. */
export interface StoredEntry {
  /** `undefined`: a negative entry. */
  readonly value: unknown
  readonly snapshot: Snapshot
  /** Wall-clock ms when the load began; lifetimes only, never coherence. */
  readonly loadedAt: number
  readonly freshMs: number
  readonly lifetimeMs: number
  /** Tags from what was loaded; the reader knows the others. */
  readonly moreTags: readonly string[]
}

/** Part of every key: raise it when the header or the seal changes. */
export const FORMAT_VERSION = 5

/** `loadedAt freshMs lifetimeMs snapshot tags`: base 36 for the numbers, JSON for tags, if any. */
const HEADER = /^([0-9a-z]{1,10}) ([0-9a-z]{1,8}) ([0-9a-z]{1,8}) ([0-9:,]{1,20000})(?: (\[.*\]))?$/s

const NO_TAGS: readonly string[] = []

/** A header line, then the value's text; without one for a negative entry. */
export function encodeEntry(entry: StoredEntry, codec: Codec): string {
  const { value, snapshot, moreTags } = entry
  const times = [entry.loadedAt, entry.freshMs, entry.lifetimeMs].map((ms) => Math.round(ms).toString(36))
  const header = [...times, snapshot.text, ...(moreTags.length > 0 ? [JSON.stringify(moreTags)] : [])].join(' ')
  return value === undefined ? header : `${header}\n${codec.encode(value)}`
}

/** `undefined` when the text is not an entry of this format: a miss, never an error. Without a secret anybody may have written it. */
export function decodeEntry(text: string, codec: Codec): StoredEntry | undefined {
  const end = text.indexOf('\n')
  const match = HEADER.exec(end < 0 ? text : text.slice(0, end))
  if (match === null) return undefined
  const [, loadedAt = '', freshMs = '', lifetimeMs = '', snapshotText = '', tags] = match
  const snapshot = parseSnapshot(snapshotText)
  const moreTags = tags === undefined ? NO_TAGS : stringsIn(tags)
  const value = end < 0 ? undefined : decoded(text.slice(end + 1), codec)
  if (snapshot === undefined || moreTags === undefined || (end >= 0 && value === undefined)) return undefined
  const times = { loadedAt: numberIn(loadedAt), freshMs: numberIn(freshMs), lifetimeMs: numberIn(lifetimeMs) }
  return times.freshMs > times.lifetimeMs ? undefined : { value, snapshot, ...times, moreTags }
}

/** A codec of before may have made the text. */
function decoded(text: string, codec: Codec): unknown {
  try {
    return codec.decode(text)
  } catch {
    return undefined
  }
}

function numberIn(digits: string): number {
  return Number.parseInt(digits, 36)
}

/** What a JSON array of strings holds; `undefined` for any other text. */
export function stringsIn(text: string): string[] | undefined {
  try {
    const strings: unknown = JSON.parse(text)
    return Array.isArray(strings) && strings.every((item) => typeof item === 'string') ? strings : undefined
  } catch {
    return undefined
  }
}

/** Characters of a proof, of six bits each. */
const PROOF_LENGTH = 22
/** To compare in: each hit would make two anew. */
const [given, proof] = [Buffer.alloc(PROOF_LENGTH), Buffer.alloc(PROOF_LENGTH)]

/**
 * Proves that a text was stored under this very name by who knows the secret. What somebody else wrote, and what was cut off, changed
 * or copied from another name, does not open. With an empty secret it is a checksum, which anybody can make.
 *
 * A hash in a hash, each under a key of one block, as HMAC is; an HMAC object of Node's takes twice the time.
 */
export class EntrySeal {
  readonly #inner: string
  readonly #outer: string

  constructor(secret: string) {
    const keys = Buffer.from(hkdfSync('sha256', secret, '', 'roundhouse entries', 64)).toString('hex')
    this.#inner = keys.slice(0, 64)
    this.#outer = keys.slice(64)
  }

  /** A part of names: what was stored with another secret, or under another identity, has other names and is never read. */
  digestOf(identity: string): string {
    return this.#proofOf('', identity).slice(0, 12)
  }

  seal(name: string, text: string): string {
    return `${this.#proofOf(name, text)}${text}`
  }

  /** The text; `undefined` for what was not sealed under this name. */
  open(name: string, sealed: string): string | undefined {
    const text = sealed.slice(PROOF_LENGTH)
    given.write(sealed, 0, PROOF_LENGTH, 'latin1')
    proof.write(this.#proofOf(name, text), 0, PROOF_LENGTH, 'latin1')
    return sealed.length >= PROOF_LENGTH && timingSafeEqual(given, proof) ? text : undefined
  }

  /** The length keeps a name and a text apart, whatever they hold. */
  #proofOf(name: string, text: string): string {
    const inner = hash('sha256', `${this.#inner}${name.length} ${name}${text}`, 'base64url')
    return hash('sha256', `${this.#outer}${inner}`, 'base64url').slice(0, PROOF_LENGTH)
  }
}
