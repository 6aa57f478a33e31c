import type { Codec } from '../cache/index.js'
import { longestCopy } from './compressed-copy.js'
import { Document } from './document.js'

/** RFC 9110, 8.8.3: what a header can carry. */
const STRONG_ETAG = /^"[!#-~]{1,200}"$/

/** The ETag in the first line, then the text as it is sent: a hit in Redis is not parsed. */
export const documentCodec: Codec = {
  encode(value) {
    const { etag, json } = documentOf(value)
    return `${etag}\n${json}`
  },
  decode(text) {
    const end = text.indexOf('\n')
    const [etag, json] = [text.slice(0, end), text.slice(end + 1)]
    return end > 0 && STRONG_ETAG.test(etag) ? new Document(json, etag) : undefined
  },
  /**
   * A large document counts half as much again from the start: its compressed copy comes later and at a size that nobody
   * knows yet, and the bound must hold all the same.
   */
  weigh(value) {
    const { json, etag, isLarge } = documentOf(value)
    const bytes = Buffer.byteLength(json)
    return bytes + etag.length + (isLarge ? longestCopy(bytes) : 0)
  },
}

function documentOf(value: unknown): Document {
  if (!(value instanceof Document)) throw new TypeError('The service caches documents only')
  return value
}
