import { isTagged, tagsIn } from './etag.js'
import { CompressedCopy, gzipEtag, LARGE_FROM_CHARACTERS } from './compressed-copy.js'

/** A text of so many characters goes out as bytes from the start: a socket takes far longer to encode it than a buffer does. */
const BYTES_FROM_CHARACTERS = 65_536

/**
 * What a route answers: JSON text and its strong ETag, made once at fill time.
 * A hit sends {@link Document.body} as it is; {@link Document.parse} is for the few callers that need the object.
 */
export class Document {
  /** Long enough to be sent compressed: {@link LARGE_FROM_CHARACTERS}. */
  readonly isLarge: boolean
  #text: string | undefined
  #bytes: Buffer | undefined
  #isSent = false
  #copy: CompressedCopy | undefined
  #parsed: unknown

  /** @param json the text, or {@link bytesIfLong} of it */
  constructor(
    json: string | Buffer,
    readonly etag: string,
    /** Tags of other rows that the document refers to; known where it was loaded, and empty elsewhere. */
    readonly refersTo: readonly string[] = [],
  ) {
    this.isLarge = json.length >= LARGE_FROM_CHARACTERS
    if (typeof json === 'string') this.#text = json
    else this.#bytes = json
  }

  get json(): string {
    return this.#text ?? this.#bytes?.toString() ?? ''
  }

  /**
   * The text to send. What is long, or sent a second time and so likely to be sent often, is kept as bytes instead, so that no
   * answer encodes it again.
   */
  get body(): string | Buffer {
    if (this.#bytes !== undefined) return this.#bytes
    const text = this.#text ?? ''
    if (!this.#isSent && text.length < BYTES_FROM_CHARACTERS) {
      this.#isSent = true
      return text
    }
    this.#bytes = ownBytes(text)
    this.#text = undefined
    return this.#bytes
  }

  /** The bytes compressed, once they are; their strong ETag is {@link Document.gzipEtag}. */
  get gzip(): Buffer | undefined {
    return this.#copy?.bytes
  }

  get gzipEtag(): string {
    return gzipEtag(this.etag)
  }

  /**
   * Whether If-None-Match or If-Match names it, by either of its ETags, or by what a proxy made of one.
   * @throws InvalidRequestError when `value` is no list of ETags
   */
  isNamedBy(header: 'if-match' | 'if-none-match', value: string): boolean {
    return value === this.etag || isTagged(tagsIn(header, value), this.etag)
  }

  /**
   * For who has just sent {@link Document.body} where {@link Document.gzip} was welcome. What went out as bytes to such a
   * client before is compressed now, in the background and once: a document sent once is not worth it.
   */
  compressLater(): void {
    if (!this.isLarge || this.#bytes === undefined) return
    if (this.#copy === undefined) this.#copy = new CompressedCopy()
    else this.#copy.make(this.#bytes)
  }

  /** The object behind the text, parsed at most once. Shared between callers: do not change it. */
  parse<T>(): T {
    this.#parsed ??= JSON.parse(this.json)
    return this.#parsed as T
  }
}

/** A text as {@link Document} will keep it from the start, for who needs its bytes before. */
export function bytesIfLong(text: string): string | Buffer {
  return text.length < BYTES_FROM_CHARACTERS ? text : ownBytes(text)
}

/** In memory of their own: a slice of a shared pool would hold the whole pool. */
function ownBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text))
  bytes.write(text)
  return bytes
}
