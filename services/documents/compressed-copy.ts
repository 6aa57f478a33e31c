import { gzip } from 'node:zlib'

/**
 * A text of so many characters is sent compressed to who takes that. Below it a copy would save two packets at most, and
 * cost memory, a second ETag and a Vary; a single row is nearly always below it, a list of more than a few above.
 */
export const LARGE_FROM_CHARACTERS = 4_096

/** What the ETag of a copy ends in. Its bytes are others, so its strong ETag must be another (RFC 9110, 8.8.3.3). */
export const GZIP_SUFFIX = '-gzip'

/** The ETag of the copy of what has this ETag: `"x-gzip"` for `"x"`. */
export function gzipEtag(etag: string): string {
  return `${etag.slice(0, -1)}${GZIP_SUFFIX}"`
}

/** The longest copy that is kept of so many bytes: one that saves less is not worth its memory. Memory reserves as much. */
export function longestCopy(bytes: number): number {
  return Math.floor(bytes / 2)
}

/**
 * The gzip copy of one document. It is made once, on zlib's threads, and nobody waits for it; bytes that do not shrink
 * to {@link longestCopy}, or that zlib fails on, stay without one.
 */
export class CompressedCopy {
  /** One at a time in this process: each run takes 256 KiB, and a thread that lookups of names and files need too. */
  static #isBusy = false
  #isTried = false
  #bytes: Buffer | undefined

  /** `undefined`: there is none yet, or never will be. */
  get bytes(): Buffer | undefined {
    return this.#bytes
  }

  /** Starts the one attempt at it. While another document's is under way nothing happens: a later call does it. */
  make(plain: Buffer): void {
    if (this.#isTried || CompressedCopy.#isBusy) return
    this.#isTried = true
    CompressedCopy.#isBusy = true
    const done = (bytes?: Buffer): void => {
      CompressedCopy.#isBusy = false
      this.#bytes = bytes
    }
    compress(plain).then(done, () => done())
  }
}

/** Rejects with what zlib fails with, and with ERR_BUFFER_TOO_LARGE once the copy is too long to be kept. */
function compress(plain: Buffer): Promise<Buffer> {
  const maxOutputLength = longestCopy(plain.length)
  return new Promise((resolve, reject) => {
    gzip(plain, { maxOutputLength }, (error, bytes) => (error === null ? resolve(inOwnMemory(bytes)) : reject(error)))
  })
}

/** zlib answers with a part of a larger buffer, all of which would be held. */
function inOwnMemory(part: Buffer): Buffer {
  const bytes = Buffer.allocUnsafeSlow(part.length)
  part.copy(bytes)
  return bytes
}
