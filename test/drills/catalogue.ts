import { DocumentHistory, type Seen } from './history.js'

/** The fields of a design that the drill looks at; its description is the counter. */
export interface DesignBody {
  readonly id: string
  readonly version: number
  readonly description: string
}

export function seenIn({ version, description }: DesignBody): Seen {
  return { version, counter: description }
}

/** So many a shop has, within one. */
export const DOCUMENTS_PER_SHOP = 12

/** A user of the drill with the documents that the clients know of, deleted ones included. */
export class Shop {
  readonly documents = new Map<string, DocumentHistory>()
  /** Those nobody has begun to delete. */
  readonly present: DocumentHistory[] = []
  readonly deleted: DocumentHistory[] = []
  /** Counters of creations whose outcome is not known (yet). */
  readonly creating = new Set<string>()

  constructor(
    readonly userId: string,
    readonly token: string,
  ) {}

  /** A creation was acknowledged, or seen in a list before that. */
  created(body: DesignBody, at: number): DocumentHistory {
    const known = this.documents.get(body.id)
    this.creating.delete(body.description)
    if (known !== undefined) return known
    const history = new DocumentHistory(body.id, at, seenIn(body))
    this.documents.set(body.id, history)
    this.present.push(history)
    return history
  }

  deletionSent(history: DocumentHistory): void {
    history.deletionSent()
    const at = this.present.indexOf(history)
    if (at >= 0) this.present.splice(at, 1)
    this.deleted.push(history)
  }
}

let counters = 0

/** Unique per write. */
export function nextCounter(): string {
  return String((counters += 1))
}

export function newDesign(counter: string): object {
  return {
    filename: `design-${counter}.png`,
    file_path: `/designs/${counter}.png`,
    platform: 'etsy',
    description: counter,
  }
}
