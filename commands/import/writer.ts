import type { FastifyInstance } from 'fastify'
import { resources } from '../../services/domains.js'
import { FormerIds } from '../../services/resource/import/former-ids.js'
import { type ImportMode, RowImporter } from '../../services/resource/import/importer.js'
import type { ImportOutcome, ImportRow } from '../../services/resource/import/row.js'
import { UserImporter } from '../../services/users/importer.js'
import type { NewUser } from '../../services/users/schema.js'
import { type Kind, kinds, USERS } from './kinds.js'
import { Owners } from './owners.js'
import { patiently, type PatienceOptions } from './patience.js'
import type { OwnerNamed } from './reader.js'

/** A row on its way into the database. */
export interface Waiting {
  readonly kind: Kind
  readonly owner: OwnerNamed
  readonly row: ImportRow
}

/** Writes batches: what a row names before the row, and the rows of one user and kind in one transaction. */
export class BatchWriter {
  readonly #importers: ReadonlyMap<Kind, RowImporter>
  readonly #users: UserImporter
  readonly #owners: Owners
  readonly #userId: string | undefined
  readonly #mode: ImportMode
  readonly #patience: PatienceOptions | undefined

  /**
   * @param userId whose all rows are; `undefined`: of those whom they name
   * @param patience with a database that is away or busy; none unless given
   */
  constructor(app: FastifyInstance, userId: string | undefined, mode: ImportMode, patience?: PatienceOptions) {
    const dependencies = { database: app.db, cache: app.cache, resources }
    this.#importers = new Map(
      resources.map((definition) => [definition.name, new RowImporter(dependencies, definition)]),
    )
    this.#users = new UserImporter(dependencies, app.users)
    this.#owners = new Owners(app.db, mode.planned)
    this.#userId = userId
    this.#mode = { ...mode, formerIds: new FormerIds() }
    this.#patience = patience
  }

  /**
   * @returns what became of each row, in their order
   * @throws NotFoundError when the user is gone, DatabaseUnavailableError
   */
  async write(batch: readonly Waiting[]): Promise<readonly ImportOutcome[]> {
    const outcomes: ImportOutcome[] = []
    for (const [place, { kind, row }] of batch.entries()) {
      if (kind === USERS) outcomes[place] = await this.#writeUser(row)
    }
    for (const kind of kinds) {
      for (const [userId, places] of await this.#byOwner(batch, kind)) {
        const rows = places.flatMap((place) => batch[place]?.row ?? [])
        const importer = this.#importers.get(kind)
        const written =
          userId === undefined || importer === undefined
            ? undefined
            : await this.#patiently(() => importer.write(userId, rows, this.#mode))
        for (const [index, place] of places.entries()) outcomes[place] = written?.[index] ?? WITHOUT_OWNER
      }
    }
    return outcomes
  }

  async #writeUser(row: ImportRow): Promise<ImportOutcome> {
    if (this.#userId !== undefined) return refused('users are imported with --all')
    const { body, own } = row
    if (!isUser(body)) return refused('it is no user')
    const user = { body, ...(own && { own }) }
    const outcome = await this.#patiently(() => this.#users.write(user, this.#mode))
    if (outcome.outcome === 'created' || outcome.outcome === 'updated')
      this.#owners.written(row, outcome.outcome === 'created')
    return outcome
  }

  /** Not where nothing is written: what was planned before the refusal would be found as if it were there. */
  #patiently<T>(work: () => Promise<T>): Promise<T> {
    const isWritten = this.#mode.planned === undefined
    return isWritten && this.#patience !== undefined ? patiently(work, this.#patience) : work()
  }

  /** The places of the rows of one kind, by their owner; `undefined`: there is no such user. */
  async #byOwner(batch: readonly Waiting[], kind: Kind): Promise<ReadonlyMap<string | undefined, number[]>> {
    const places = new Map<string | undefined, number[]>()
    for (const [place, waiting] of batch.entries()) {
      if (waiting.kind !== kind) continue
      const owner = this.#userId ?? (await this.#patiently(() => this.#owners.idOf(waiting.owner)))
      const ofOwner = places.get(owner)
      if (ofOwner === undefined) places.set(owner, [place])
      else ofOwner.push(place)
    }
    return places
  }
}

const WITHOUT_OWNER: ImportOutcome = {
  outcome: 'refused',
  reasons: ['there is no user that its user_id or user_email names'],
  isEarly: true,
}

function refused(reason: string): ImportOutcome {
  return { outcome: 'refused', reasons: [reason], isEarly: false }
}

/** Its rules have been asked already. */
function isUser(body: ImportRow['body'] | NewUser): body is NewUser {
  return typeof body['email'] === 'string' && typeof body['shop_name'] === 'string'
}
