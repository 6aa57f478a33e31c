import { isTagged, rowEtag, tagsIn, versionsIn } from '../documents/etag.js'
import { InvalidRequestError, NotFoundError, PreconditionFailedError, ReadOnlyFieldError } from '../errors.js'
import type { AllowedVersions } from './sql/rows.js'
import { ofTheService } from './schema.js'

/** What every row has and no caller writes. */
const READ_ONLY = Object.keys(ofTheService)

/** The conditional headers of a request, as they came. */
export interface Preconditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

/**
 * Before the row is looked for: a request that can't be understood is 400 whether there is one or not.
 * @throws InvalidRequestError when a header is no list of ETags
 */
export function judgeForm({ ifMatch, ifNoneMatch }: Preconditions): void {
  if (ifMatch !== undefined) tagsIn('if-match', ifMatch)
  if (ifNoneMatch !== undefined) tagsIn('if-none-match', ifNoneMatch)
}

/** A row as it is answered. */
interface Item {
  readonly version: number
}

/** What a write asks of the row that it meets. */
export class Condition {
  readonly #id: string
  readonly #kind: string
  readonly #versions: AllowedVersions
  readonly #mustExist: boolean
  readonly #unwanted: ReturnType<typeof tagsIn>
  readonly #repeated: readonly (readonly [field: string, value: unknown])[]

  /**
   * @param repeated fields that only the service writes, as the caller read them
   * @throws InvalidRequestError when a header is no list of ETags
   */
  constructor(
    row: { readonly id: string; readonly kind: string },
    preconditions: Preconditions,
    repeated: object = {},
  ) {
    const { ifMatch, ifNoneMatch } = preconditions
    this.#id = row.id
    this.#kind = row.kind
    this.#mustExist = ifMatch !== undefined
    this.#versions = ifMatch === undefined ? undefined : versionsIn(tagsIn('if-match', ifMatch), row.id)
    this.#unwanted = ifNoneMatch === undefined ? [] : tagsIn('if-none-match', ifNoneMatch)
    this.#repeated = Object.entries(repeated)
  }

  /**
   * The versions that the write may meet. What SQL does not compare is compared here with the row that `find` finds, and the write may
   * then meet no other version than that one.
   * @throws NotFoundError, PreconditionFailedError, ReadOnlyFieldError
   */
  async versions(find: () => Promise<Item | undefined>): Promise<AllowedVersions> {
    if (this.#unwanted.length === 0 && this.#repeated.length === 0) return this.#versions
    const item = await find()
    if (item === undefined) throw new NotFoundError(this.#kind)
    const { version } = item
    const isWanted = this.#versions === undefined || this.#versions.includes(version)
    if (!isWanted || isTagged(this.#unwanted, rowEtag(this.#id, version))) throw new PreconditionFailedError()
    const changed = this.#repeated.find(([field, value]) => Reflect.get(item, field) !== value)
    if (changed !== undefined) throw new ReadOnlyFieldError(changed[0])
    return [version]
  }

  /**
   * The same where there is no row, for a write that would make it.
   * @throws PreconditionFailedError, ReadOnlyFieldError
   */
  judgeAbsence(): void {
    if (this.#mustExist) throw new PreconditionFailedError()
    const [repeated] = this.#repeated
    if (repeated !== undefined) throw new ReadOnlyFieldError(repeated[0])
  }
}

/**
 * A change without the fields `readOnly`, and those apart: what GET gave may be sent back whole.
 * @throws InvalidRequestError when nothing else is in it
 */
export function splitChange<Change extends object>(
  change: Change,
  readOnly: readonly string[] = READ_ONLY,
): readonly [fields: Change, repeated: object] {
  const fields = { ...change }
  const repeated = {}
  for (const name of readOnly) {
    if (!(name in change)) continue
    Reflect.set(repeated, name, Reflect.get(change, name))
    Reflect.deleteProperty(fields, name)
  }
  if (Object.keys(fields).length > 0) return [fields, repeated]
  throw new InvalidRequestError(
    `body: it has nothing but ${Object.keys(repeated).join(', ')}, which can not be changed`,
  )
}
