/** The values of one statement, which it has as `$1`, `$2` and so on. */
export class Parameters {
  readonly values: unknown[] = []

  /** The place of a value in the text of the statement. */
  place(value: unknown, type: string): string {
    return `$${this.values.push(value)}::${type}`
  }
}
