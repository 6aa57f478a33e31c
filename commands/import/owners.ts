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
  readonly #isDryRun: boolean

  constructor(database: Database, planned: PlannedRows | undefined) {
    this.#database = database
    this.#isDryRun = planned !== undefined
  }

  async idOf({ id, email }: OwnerNamed): Promise<string | undefined> {
    const wanted = id !== undefined && UUID.test(id.toLowerCase()) ? id.toLowerCase() : undefined
    const key = keyOf(wanted, email)
    const known = this.#found.get(key) ?? (email === undefined ? undefined : this.#found.get(keyOf(undefined, email)))
    if (known !== undefined) return known
    const [row] = await this.#database.query<{ id: string }>({
      name: 'users.import-owner',
      text: `select id from users where id = $1::uuid or lower(email collate "C") = lower($2::text collate "C")
        order by id is distinct from $1::uuid limit 1`,
      values: [wanted ?? null, email ?? null],
    })
    if (row !== undefined) this.#keep(key, row.id)
    return row?.id
  }

  /** A user that a dry run would have made: later rows find them, by an id that nobody has. */
  add({ body, own }: ImportRow): void {
    if (!this.#isDryRun) return
    const id = own?.id ?? crypto.randomUUID()
    const email = String(body['email'])
    for (const key of [keyOf(id, undefined), keyOf(id, email), keyOf(undefined, email)]) this.#found.set(key, id)
  }

  #keep(key: string, id: string): void {
    if (this.#found.size >= MOST_KEPT && !this.#isDryRun) this.#found.clear()
    this.#found.set(key, id)
  }
}

function keyOf(id: string | undefined, email: string | undefined): string {
  return `${id ?? ''} ${email?.toLowerCase() ?? ''}`
}
