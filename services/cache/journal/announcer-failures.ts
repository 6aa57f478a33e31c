import type { Announcer } from './announcer.js'

/** Reasons that are remembered: a text of the server may name an address or a time, and each would be another one. */
const MOST_REASONS = 20

/** What the announcer fails at. It tries again every two seconds, so each reason is told once, until something has been heard again. */
export class AnnouncerFailures {
  readonly #told = new Set<string>()

  heard(): void {
    this.#told.clear()
  }

  /** What failed, in words; `undefined` where that was told already. */
  wordsFor(error: unknown, state: Announcer['state'] | undefined): string | undefined {
    const isConnected = state === 'healthy' || state === 'deaf'
    const words = isConnected ? 'an announcement' : 'listening for announcements'
    const reason = `${words}: ${error instanceof Error ? error.message : String(error)}`
    if (this.#told.has(reason) || this.#told.size >= MOST_REASONS) return undefined
    this.#told.add(reason)
    return words
  }
}
