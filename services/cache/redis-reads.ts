import { decodeEntry, type StoredEntry } from './codec.js'
import { type EntryAddress, ownerOf } from './entry.js'
import { Gathered } from './gathered.js'
import type { MissShare } from './miss-share.js'
import type { RedisCommands } from './redis-commands.js'
import type { RedisKeys } from './redis-keys.js'

/** Who reads one entry from Redis. It is called back instead of handed a promise: hits are many, and each would cost one. */
export interface RedisReader {
  readonly address: EntryAddress
  /** The last clear that the reader knows of. */
  readonly clearVersion: number
  /** `entry` is `undefined` when there is none, or none that is valid. Must not throw. */
  onRead(entry: StoredEntry | undefined): void
  /** Redis did not answer. Must not throw. */
  onReadFailed(): void
}

/**
 * Reads an entry with the tags it depends on, at one moment: it is valid only while each of its tags is present and
 * equal to its stamp. A tag that several entries of one command share is asked for once.
 */
export class RedisReads {
  readonly #commands: RedisCommands
  readonly #keys: RedisKeys
  readonly #isCluster: boolean
  readonly #misses: MissShare
  readonly #gathered: Gathered<RedisReader>

  constructor(options: {
    readonly commands: RedisCommands
    readonly keys: RedisKeys
    readonly isCluster: boolean
    readonly endOfTurn: ((work: () => void) => void) | undefined
    readonly misses: MissShare
  }) {
    this.#commands = options.commands
    this.#keys = options.keys
    this.#isCluster = options.isCluster
    this.#misses = options.misses
    this.#gathered = new Gathered({ endOfTurn: options.endOfTurn, send: (readers) => this.#send(readers) })
  }

  add(reader: RedisReader): void {
    this.#gathered.add(this.#isCluster ? ownerOf(reader.address.key) : '', reader)
  }

  #send(readers: readonly RedisReader[]): void {
    const names: string[] = []
    /** Where in `names` each reader's values are: the entry, then each tag. */
    const places: number[] = []
    const known = new Map<string, number>()
    for (const { address, clearVersion } of readers) {
      places.push(names.push(this.#keys.entry(address.key, clearVersion)) - 1)
      for (const tag of address.tags) {
        let place = known.get(tag)
        if (place === undefined) {
          place = names.push(this.#keys.tag(tag)) - 1
          known.set(tag, place)
        }
        places.push(place)
      }
    }
    this.#commands.mget(names).then(
      (values) => this.#answer(readers, values, places),
      () => {
        for (const reader of readers) reader.onReadFailed()
      },
    )
  }

  #answer(readers: readonly RedisReader[], values: readonly (string | null)[], places: readonly number[]): void {
    let next = 0
    const value = (): string | null => values[places[next++] ?? -1] ?? null
    for (const reader of readers) {
      const text = value()
      const entry = text === null ? undefined : decodeEntry(text)
      let isValid = entry !== undefined
      for (let n = 0; n < reader.address.tags.length; n++) {
        const current = value()
        if (current === null || current !== entry?.stamps[n]) isValid = false
      }
      this.#misses.count(!isValid)
      reader.onRead(isValid ? entry : undefined)
    }
  }
}
