import type { Codec } from '../cache/index.js'
import { longestCopy } from './compressed-copy.js'
import { Document } from './document.js'
import { DOCUMENT_FORMAT } from './etag.js'
import { IdPage } from './id-page.js'

/** RFC 9110, 8.8.3: what a header can carry. */
const STRONG_ETAG = /^"[!#-~]{1,200}"$/

/** What a page of ids begins with, and no ETag. */
const PAGE_START = '['

/** Part of every key in Redis: the last digit changes with how a page of ids is stored. */
export const STORED_FORMAT = `d${DOCUMENT_FORMAT}p1`

/** A document is its ETag in the first line, then the text as it is sent: a hit in Redis is not parsed. A page of ids is JSON. */
export const documentCodec: Codec = {
  encode(value) {
    if (value instanceof IdPage) return value.encode()
    const { etag, json } = documentOf(value)
    return `${etag}\n${json}`
  },
  decode(text) {
    if (text.startsWith(PAGE_START)) return IdPage.decode(text)
    const end = text.indexOf('\n')
    const [etag, json] = [text.slice(0, end), text.slice(end + 1)]
    return end > 0 && STRONG_ETAG.test(etag) ? new Document(json, etag) : undefined
  },
  /**
   * A large document counts half as much again from the start: its compressed copy comes later and at a size that nobody
   * knows yet, and the bound must hold all the same.
   */
  weigh(value) {
    if (value instanceof IdPage) return value.weight
    const { json, etag, isLarge } = documentOf(value)
    const bytes = Buffer.byteLength(json)
    return bytes + etag.length + (isLarge ? longestCopy(bytes) : 0)
  },
  isSame(one, other) {
    if (one instanceof IdPage && other instanceof IdPage) return one.isSame(other)
    return documentCodec.encode(one) === documentCodec.encode(other)
  },
}

function documentOf(value: unknown): Document {
  if (!(value instanceof Document)) throw new TypeError('The service caches documents only')
  return value
}
