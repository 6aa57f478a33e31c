import { createHash } from 'node:crypto'
import type { Statement } from '../database.js'

/** Texts of one statement: a change of some columns has one for each set of them, and who asks chooses the set. */
const MOST_TEXTS = 8
/** Longer texts in all, of lists: a server process keeps up to 400 kB of each. */
const LONG = 2_000
const MOST_LONG = 32

/**
 * Names under which a server keeps statements prepared. Who comes first has them. They are of the text: should two processes meet on one process of the
 * server all the same, behind a pooler that can't be told from a server, neither runs what the other one meant.
 */
export class PreparedNames {
  readonly #byStatement = new Map<string, Map<string, string>>()
  #long = 0

  /** `undefined`: it is not to be prepared. */
  of({ name, text, isPrepared }: Statement): string | undefined {
    if (isPrepared !== true) return undefined
    let texts = this.#byStatement.get(name)
    if (texts === undefined) this.#byStatement.set(name, (texts = new Map()))
    const known = texts.get(text)
    if (known !== undefined || texts.size >= MOST_TEXTS) return known
    if (text.length > LONG && this.#long >= MOST_LONG) return undefined
    if (text.length > LONG) this.#long += 1
    const made = `roundhouse_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
    texts.set(text, made)
    return made
  }
}
