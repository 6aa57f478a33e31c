import { packUuid, unpackUuid } from '../uuid-text.js'

/** How many rows a list has; at least so many where that is not exact. */
export interface Total {
  readonly total: number
  readonly isExact: boolean
}

/** Of one packed id. */
const ID_CHARACTERS = 22

/**
 * A page of a list as the cache stores it: which rows it has, in their order. What they hold is in the entries of their documents, so a change of a
 * row leaves this as it is unless it moves the row.
 */
export class IdPage {
  readonly ids: readonly string[]
  readonly nextCursor: string | null
  /** By what each row is sorted before its id, as cursors have it; `undefined` where that is the id alone. */
  readonly sortValues: readonly string[] | undefined
  /** Where it was asked for. */
  readonly total: Total | undefined
  /** All rows were short when it was loaded, so they may be read at once. They may have grown since. */
  readonly isShort: boolean

  constructor({
    ids,
    nextCursor,
    sortValues,
    total,
    isShort,
  }: Omit<IdPage, 'encode' | 'isSame' | 'weight' | 'withLongRows'>) {
    this.ids = ids
    this.nextCursor = nextCursor
    this.sortValues = sortValues
    this.total = total
    this.isShort = isShort
  }

  /** `undefined` for a text that {@link IdPage.encode} would not have made. */
  static decode(text: string): IdPage | undefined {
    const [isShort, parts] = parsed(text) ?? []
    if (!Array.isArray(parts)) return undefined
    const [packed, nextCursor, sortValues, total, isExact]: unknown[] = parts
    if (typeof packed !== 'string' || packed.length % ID_CHARACTERS !== 0) return undefined
    if (nextCursor !== null && typeof nextCursor !== 'string') return undefined
    const ids: string[] = []
    for (let at = 0; at < packed.length; at += ID_CHARACTERS) {
      const id = unpackUuid(packed.slice(at, at + ID_CHARACTERS))
      if (id === undefined) return undefined
      ids.push(id)
    }
    if (sortValues !== 0 && !(isTexts(sortValues) && sortValues.length === ids.length)) return undefined
    return new IdPage({
      ids,
      nextCursor,
      sortValues: sortValues === 0 ? undefined : sortValues,
      total: typeof total === 'number' && total >= 0 ? { total, isExact: isExact === 1 } : undefined,
      isShort: isShort === 1,
    })
  }

  encode(): string {
    return `[${Number(this.isShort)},${this.#rowsText()}]`
  }

  /** The same page, for who has found its rows to be long. */
  get withLongRows(): IdPage {
    const { ids, nextCursor, sortValues, total } = this
    return new IdPage({ ids, nextCursor, sortValues, total, isShort: false })
  }

  /** Whether it is the same page. How long its rows are is not a part of it. */
  isSame(other: IdPage): boolean {
    return this.#rowsText() === other.#rowsText()
  }

  #rowsText(): string {
    const { ids, nextCursor, sortValues = 0, total } = this
    const counted = total === undefined ? [] : [total.total, Number(total.isExact)]
    return JSON.stringify([ids.map(packUuid).join(''), nextCursor, sortValues, ...counted])
  }

  /** Bytes in memory, about. */
  get weight(): number {
    const texts = this.sortValues?.reduce((bytes, { length }) => bytes + length + 24, 0) ?? 0
    return this.ids.length * 64 + texts + (this.nextCursor?.length ?? 0)
  }
}

function parsed(text: string): unknown[] | undefined {
  try {
    const parts: unknown = JSON.parse(text)
    return Array.isArray(parts) ? parts : undefined
  } catch {
    return undefined
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
