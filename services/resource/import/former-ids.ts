import { createHash } from 'node:crypto'

/**
 * Which rows the lines of a file have become, by the ids that they have where they come from: references between rows of one file find them
 * by those. For each row some hundred bytes.
 */
export class FormerIds {
  readonly #ids = new Map<string, string>()

  get(table: string, userId: string, formerId: string): string | undefined {
    const packed = this.#ids.get(placeOf(table, userId, formerId))
    return packed === undefined ? undefined : unpacked(packed)
  }

  set(table: string, userId: string, formerId: string, id: string): void {
    this.#ids.set(placeOf(table, userId, formerId), Buffer.from(id.replaceAll('-', ''), 'hex').toString('latin1'))
  }
}

function placeOf(table: string, userId: string, formerId: string): string {
  return createHash('sha256').update(`${table} ${userId} ${formerId}`).digest().toString('latin1', 0, 16)
}

function unpacked(packed: string): string {
  const hex = Buffer.from(packed, 'latin1').toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
