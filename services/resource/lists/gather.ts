import type { Document } from '../../documents/document.js'
import { PAGE_BYTES } from '../sql/bounded-rows.js'

/** What a page is made of: of each row that was looked at, what was found. */
export interface Gathered<Part> {
  readonly parts: readonly Part[]
  /** The page ends here for its length, before the last of the ids. */
  readonly isCut: boolean
  readonly bytes: number
}

/**
 * Reads rows in the order of `ids` until a page of them would get too long. How long they are is known only then: `first` says how many are read in
 * the first go, and each next go has twice as many.
 * @param read answers in the order of its ids
 */
export async function gather<Part extends { readonly value: Document | undefined }>(
  ids: readonly string[],
  first: number,
  read: (ids: readonly string[]) => Promise<readonly Part[]>,
): Promise<Gathered<Part>> {
  const parts: Part[] = []
  let bytes = 0
  for (let most = first; parts.length < ids.length; most *= 2) {
    if (bytes >= PAGE_BYTES) return { parts, isCut: true, bytes }
    for (const part of await read(ids.slice(parts.length, parts.length + most))) {
      const more = Buffer.byteLength(part.value?.json ?? '')
      if (bytes > 0 && bytes + more > PAGE_BYTES) return { parts, isCut: true, bytes }
      bytes += more
      parts.push(part)
    }
  }
  return { parts, isCut: false, bytes }
}
