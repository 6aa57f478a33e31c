/** Who sends requests. `victim` never does: what is theirs must be as it was in the end. */
export const SENDERS = ['alice', 'bob', 'admin', 'looker', 'scraper', 'inventor', 'nobody'] as const

export type Sender = (typeof SENDERS)[number]

/** One request, or several on one connection, and what may come of it. */
export interface Shot {
  readonly sender: Sender
  /** For the table: the operation, or the trick on the wire. */
  readonly route: string
  readonly pieces: readonly Buffer[]
  readonly methods: readonly string[]
  /** A whole request is answered exactly once; what is not one, at most so often. */
  readonly answers: { readonly least: number; readonly most: number }
  /** The only statuses that it may be answered with; anything below 500 where there are none. */
  readonly statuses?: readonly number[]
  /** In the order of a pipeline, whose each answer is; that of {@link sender} otherwise. */
  readonly turns?: readonly Sender[]
  readonly isHalfClosed?: boolean
}

/** A tenant with rows, all of whose texts hold the `mark`: nobody else ever sends it, and nobody else may get it. */
export interface Tenant {
  readonly id: string
  readonly token: string
  readonly mark: string
  /** Of rows and tokens that requests may name, by the last word of their list's path. */
  readonly ids: Map<string, string[]>
}

/** Of ids of one kind. */
const MOST_IDS = 100

/** Notes something that requests may name from now on, in the place of an older one when there are many. */
export function learn({ ids }: Tenant, kind: string, id: string): void {
  const known = ids.get(kind) ?? []
  ids.set(kind, [...known.slice(1 - MOST_IDS), id])
}

export interface Cast {
  readonly alice: Tenant
  readonly bob: Tenant
  readonly victim: Tenant
  /** Whom administrators may do anything to. */
  readonly doomed: Tenant
  /** Who does nothing but ordinary writes. */
  readonly ordinary: Tenant
  readonly tokens: Readonly<Record<Exclude<Sender, 'inventor' | 'nobody'>, string>>
}

export const EXTERNAL_IDS = Array.from({ length: 12 }, (_, n) => `sku-${n}`)
