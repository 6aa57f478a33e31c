import { Document } from './entry.js'

/** What Redis holds of an entry: a header line, then the document's text as it was sent. */
export interface StoredEntry {
  /** `undefined`: a negative entry. */
  readonly document: Document | undefined
  /** Wall-clock ms; lifetimes only, never coherence. */
  readonly loadedAt: number
  readonly freshUntil: number
  readonly expiresAt: number
  /** The exact `<version>:<incarnation>` strings of its tags, in the order of the address. */
  readonly stamps: readonly string[]
}

/** Part of every key: raise it when the header, the scripts or the documents' meaning change. */
export const FORMAT_VERSION = 2

/** Header: `loadedAt freshUntil expiresAt etag stamp…`, space-separated; the etag of a negative entry is empty. */
export function encodeEntry(entry: StoredEntry): string {
  const { document, loadedAt, freshUntil, expiresAt, stamps } = entry
  const header = `${loadedAt} ${freshUntil} ${expiresAt} ${document?.etag ?? ''} ${stamps.join(' ')}`
  return document === undefined ? header : `${header}\n${document.json}`
}

/** `undefined` when the text is not an entry of this format: a miss, never an error. */
export function decodeEntry(text: string): StoredEntry | undefined {
  const end = text.indexOf('\n')
  const header = end < 0 ? text : text.slice(0, end)
  const fresh = header.indexOf(' ') + 1
  const expires = header.indexOf(' ', fresh) + 1
  const etag = header.indexOf(' ', expires) + 1
  if (fresh === 0 || expires === 0 || etag === 0) return undefined
  const stamps = header.indexOf(' ', etag) + 1
  const loadedAt = Number(header.slice(0, fresh - 1))
  const freshUntil = Number(header.slice(fresh, expires - 1))
  const expiresAt = Number(header.slice(expires, etag - 1))
  if (!Number.isFinite(loadedAt + freshUntil + expiresAt)) return undefined
  const document =
    end < 0
      ? undefined
      : new Document(text.slice(end + 1), header.slice(etag, stamps === 0 ? header.length : stamps - 1))
  return { document, loadedAt, freshUntil, expiresAt, stamps: stamps === 0 ? [] : header.slice(stamps).split(' ') }
}

/** The version in front of a stamp's incarnation; -1 for what is no stamp, so that it is behind everything. */
export function versionOf(stamp: string): number {
  const version = Number.parseInt(stamp, 10)
  return Number.isNaN(version) ? -1 : version
}
