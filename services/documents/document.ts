import { isTagged, tagsIn } from './etag.js'
import { CompressedCopy, gzipEtag, LARGE_FROM_CHARACTERS } from './compressed-copy.js'

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

  constructor(
    json: string,
    readonly etag: string,
    /** Tags of other rows that the document refers to; known where it was loaded, and empty elsewhere. */
    readonly refersTo: readonly string[] = [],
  ) {
    this.isLarge = json.length >= LARGE_FROM_CHARACTERS
    this.#text = json
  }

  get json(): string {
    return this.#text ?? this.#bytes?.toString() ?? ''
  }

  /**
   * The text to send. What is sent a second time is likely to be sent often: from then on it is kept as bytes instead,
   * in memory of their own (a slice of a shared pool would hold the whole pool), so that no answer encodes it again.
   */
  get body(): string | Buffer {
    if (this.#bytes !== undefined) return this.#bytes
    const text = this.#text ?? ''
    if (!this.#isSent) {
      this.#isSent = true
      return text
    }
    this.#bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text))
    this.#bytes.write(text)
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
