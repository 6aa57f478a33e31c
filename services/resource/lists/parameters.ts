/** The values of one statement, which it has as `$1`, `$2` and so on. */
export class Parameters {
  readonly values: unknown[] = []

  /** The place of a value in the text of the statement. */
  place(value: unknown, type: string): string {
    return `$${this.values.push(value)}::${type}`
  }
  /**
   * The same for a value that the planner does not get to see: it plans as for any value, also where it plans for these. What it sees it takes for a word
   * about how many rows there are, and so chooses another plan.
   */
  unseen(value: unknown, type: string): string {
    return `(select ${this.place(value, type)})`
  }
}
