import { setImmediate } from 'node:timers/promises'

/** A text of so many characters is large: to parse it, or to make an answer of it, takes the event loop some milliseconds. */
export const LARGE_WORK = 32_768

let last: Promise<void> = Promise.resolve()

/** Resolves in a turn of the event loop that no other large text is worked on in: requests that came meanwhile are served in between. */
export function ownTurn(): Promise<void> {
  last = last.then(() => setImmediate())
  return last
}
