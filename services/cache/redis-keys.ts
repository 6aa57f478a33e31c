import { FORMAT_VERSION } from './codec.js'
import { ownerOf } from './entry.js'

/**
 * Names of what the engine keeps in Redis. `{owner}` is the Cluster hash tag, so that an entry, its lease and its
 * tags share a slot. The journal's id keeps entries made over another database apart; the version of the last
 * clear is part of entry and lease keys, so that a clear hides every entry at once. It is not part of tag keys:
 * a replica that has not heard of the clear yet must raise the very tags that the others compare with.
 */
export class RedisKeys {
  readonly #prefix: string

  constructor(journalId: string) {
    this.#prefix = `roundhouse:${FORMAT_VERSION}:${journalId}`
  }

  entry(key: string, clearVersion: number): string {
    return `${this.#prefix}:${clearVersion}:{${ownerOf(key)}}:entry:${key}`
  }

  lease(key: string, clearVersion: number): string {
    return `${this.#prefix}:${clearVersion}:{${ownerOf(key)}}:lease:${key}`
  }

  tag(tag: string): string {
    return `${this.#prefix}:{${ownerOf(tag)}}:tag:${tag}`
  }

  /** Present while some replica vouches that Redis has every raise of the journal. */
  voucher(): string {
    return `${this.#prefix}:current`
  }
}
