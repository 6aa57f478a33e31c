import { setImmediate } from 'node:timers/promises'

/** A text of so many characters is large: to parse it, or to make an answer of it, takes the event loop some milliseconds. */
export const LARGE_WORK = 32_768

let last: Promise<void> = Promise.resolve()

/** Resolves in a turn of the event loop that no other large text is worked on in: requests that came meanwhile are served in between. */
export function ownTurn(): Promise<void> {
  last = last.then(() => setImmediate())
  return last
}

/** As much work on items as a turn is for: checked, they may have a kilobyte each. */
const MOST_IN_TURN = 50

/** What `work` makes of each, some of them in one turn of the event loop. */
export async function mapInTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Result,
): Promise<Result[]> {
  const results: Result[] = []
  for (const [index, item] of items.entries()) {
    if (index % MOST_IN_TURN === 0 && items.length > MOST_IN_TURN) await ownTurn()
    results.push(work(item))
  }
  return results
}
