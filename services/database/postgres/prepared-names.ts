import type { Statement } from '../database.js'

/** Texts of one statement that are prepared: a change of some columns has a text for each set of them, and who asks chooses the set. */
const MOST_TEXTS = 16

/** Names under which a server keeps statements prepared, the same on every connection. */
export class PreparedNames {
  readonly #byStatement = new Map<string, Map<string, string>>()
  #count = 0

  /** `undefined`: it is not to be prepared. */
  of({ name, text, isPrepared }: Statement): string | undefined {
    if (isPrepared !== true) return undefined
    let texts = this.#byStatement.get(name)
    if (texts === undefined) this.#byStatement.set(name, (texts = new Map()))
    const known = texts.get(text)
    if (known !== undefined || texts.size >= MOST_TEXTS) return known
    const made = `roundhouse_${(this.#count += 1)}`
    texts.set(text, made)
    return made
  }
}
