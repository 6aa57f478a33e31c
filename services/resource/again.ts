import { ExternalIdTakenError } from '../errors.js'

/** How often a write is begun that somebody else's at the same moment gets in the way of. */
export const MOST_ATTEMPTS = 5

/** Somebody else has just made the row that was missing: it is there for the next look. */
export function isMadeMeanwhile(error: unknown): boolean {
  return error instanceof ExternalIdTakenError
}

/** Does `work` anew after an error that leaves nothing written, and of which nobody is to blame for what they asked. */
export async function again<Result>(
  work: () => Promise<Result>,
  isPassing: (error: unknown) => boolean,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (!isPassing(error) || attempt === MOST_ATTEMPTS) throw error
    }
  }
}
