import type { Database } from '../../services/database/index.js'
import type { ImportRow } from '../../services/resource/import/row.js'
import type { PlannedRows } from '../../services/resource/import/planned-rows.js'
import type { OwnerNamed } from './reader.js'

/** Of users that were found; beyond them the oldest are looked up again. */
const MOST_KEPT = 10_000

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Which user a line names: by id, where there is one that has it, or else by email address. */
export class Owners {
  readonly #database: Database
  readonly #found = new Map<string, string>()
  /** Users that a dry run would have made, by id and by address. */
  readonly #planned: Map<string, string> | undefined

  constructor(database: Database, planned: PlannedRows | undefined) {
    this.#database = database
    this.#planned = planned && new Map()
  }

  async idOf({ id, email }: OwnerNamed): Promise<string | undefined> {
    const wanted = id !== undefined && UUID.test(id.toLowerCase()) ? id.toLowerCase() : undefined
    // Of both together: the address alone may be that of another user.
    const key = `${wanted ?? ''} ${email ?? ''}`
    const known = this.#found.get(key)
    if (known !== undefined) return known
    const [row] = await this.#database.query<{ id: string }>({
      name: 'users.import-owner',
      text: `select id from users where id = $1::uuid or lower(email collate "C") = lower($2::text collate "C")
        order by id is distinct from $1::uuid limit 1`,
      values: [wanted ?? null, email ?? null],
    })
    const found = this.#isPlanned(wanted) && row?.id !== wanted ? wanted : (row?.id ?? this.#plannedBy(email))
    if (found !== undefined) this.#keep(key, found)
    return found
  }

  /** A user was written: who was found before may be another one now. A dry run finds the user in later rows, by an id that nobody has. */
  written({ body, own }: ImportRow, isNew: boolean): void {
    this.#found.clear()
    if (this.#planned === undefined || !isNew) return
    const id = own?.id ?? crypto.randomUUID()
    this.#planned.set(id, id)
    this.#planned.set(String(body['email']).toLowerCase(), id)
  }

  #isPlanned(id: string | undefined): id is string {
    return id !== undefined && this.#planned?.has(id) === true
  }

  #plannedBy(email: string | undefined): string | undefined {
    return email === undefined ? undefined : this.#planned?.get(email.toLowerCase())
  }

  #keep(key: string, id: string): void {
    if (this.#found.size >= MOST_KEPT) this.#found.clear()
    this.#found.set(key, id)
  }
}
