import type { ServiceDependencies } from '../resource/dependencies.js'
import type { ImportMode } from '../resource/import/importer.js'
import type { Candidate } from '../resource/import/candidates.js'
import type { PlannedRows, RowKey } from '../resource/import/planned-rows.js'
import { type Difference, type ImportOutcome, type ImportRow, SHOWN } from '../resource/import/row.js'
import { EmailTakenError } from '../errors.js'
import { compareUser, findUser, findUserByEmail } from './repository.js'
import type { NewUser, User } from './schema.js'
import type { UserService } from './service.js'

/** All users, whom no user owns. */
const NOBODY = ''
const TABLE = { name: 'users' }
const MOST_ATTEMPTS = 10

/** A row of which the rules of users have been asked. */
export interface ImportedUser {
  readonly body: NewUser
  readonly own?: ImportRow['own']
}

/** What a new user has unless the line says otherwise, as insertUser has it. */
const DEFAULTS = { role: 'member', subscription_plan: 'free', is_active: true }

/** The users that are there, by what a line names them. */
interface There {
  readonly byId: User | undefined
  readonly ofAddress: User | undefined
}

/** Writes users into a catalogue, each once: by the id that it keeps, or by its email address. One at a time: there are few. */
export class UserImporter {
  readonly #database: ServiceDependencies['database']
  readonly #users: UserService
  /** The ids of those that this import has written: what comes later does not overwrite them. */
  readonly #written = new Set<string>()

  constructor({ database }: Pick<ServiceDependencies, 'database'>, users: UserService) {
    this.#database = database
    this.#users = users
  }

  /** @throws DatabaseUnavailableError */
  async write({ body: user, own }: ImportedUser, mode: ImportMode): Promise<ImportOutcome> {
    for (let attempt = 1; ; attempt += 1) {
      const ofAddress = await findUserByEmail(this.#database, user.email)
      const byId = own?.id === undefined ? undefined : await findUser(this.#database, own.id)
      if (mode.planned !== undefined) return this.#plan(user, own?.id, { byId, ofAddress }, mode, mode.planned)
      if (own?.id !== undefined && ofAddress !== undefined && ofAddress.id !== byId?.id) {
        return refused(`another user has its email (${ofAddress.id})`)
      }
      const found = own?.id === undefined ? ofAddress : byId
      if (found !== undefined) return this.#meet(found, user, mode)
      try {
        const { id } = await this.#users.create(user, own)
        this.#written.add(id)
        return { outcome: 'created' }
      } catch (error) {
        // Somebody else made one with this address or id: the next look finds it.
        if (!(error instanceof EmailTakenError) || attempt === MOST_ATTEMPTS) throw error
      }
    }
  }

  async #meet(there: User, user: NewUser, mode: ImportMode): Promise<ImportOutcome> {
    if (mode.existing === 'keep') return { outcome: 'there' }
    const differences = await this.#differences(there, user)
    if (differences.length === 0) return { outcome: 'equal' }
    const isNew = this.#written.has(there.id)
    if (mode.existing === 'compare' || isNew) return { outcome: 'different', differences, isNew }
    await this.#users.update(there.id, user)
    this.#written.add(there.id)
    return { outcome: 'updated' }
  }

  async #differences(there: User, user: NewUser): Promise<readonly Difference[]> {
    const compared = await compareUser(this.#database, there.id, user)
    return compared?.differs === false ? [] : differencesOf(there, user)
  }

  /** As it would meet what earlier lines would have made, or changed. */
  async #plan(
    user: NewUser,
    id: string | undefined,
    { byId, ofAddress }: There,
    { existing }: ImportMode,
    planned: PlannedRows,
  ): Promise<ImportOutcome> {
    const keys: RowKey[] = [{ by: 'natural_key', key: user.email.toLowerCase() }]
    if (id !== undefined) keys.unshift({ by: 'id', key: id })
    const line = { nth: 0, keys, columns: { ...user } }
    const real = [candidate(byId, 'id'), candidate(ofAddress, 'natural_key')].flat()
    const found = planned.candidates(TABLE, NOBODY, line, real)
    const [ofId, named] = (['id', 'natural_key'] as const).map((by) => found.find((each) => each.found_by === by))
    if (id !== undefined && named !== undefined && named.id !== ofId?.id)
      return refused(`another user has its email (${named.id})`)
    const there = id === undefined ? named : ofId
    if (there === undefined) {
      planned.create(TABLE, NOBODY, line)
      return { outcome: 'created' }
    }
    if (existing === 'keep') return { outcome: 'there' }
    const known = [byId, ofAddress].find((one) => one?.id === there.id)
    const differing = known === undefined ? [] : await this.#differences(known, user)
    const isNew = there.plan !== undefined
    const settings = { defaults: DEFAULTS, differing }
    const differences = isNew ? planned.differing(TABLE, there.plan, line.columns, settings) : differing
    if (differences.length === 0) return { outcome: 'equal' }
    if (existing === 'compare' || isNew) return { outcome: 'different', differences, isNew }
    planned.change(TABLE, NOBODY, line, there.id)
    return { outcome: 'updated' }
  }
}

function candidate(user: User | undefined, foundBy: Candidate['found_by']): readonly Candidate[] {
  return user === undefined ? [] : [{ nth: 0, id: user.id, user_id: NOBODY, found_by: foundBy }]
}

function differencesOf(there: User, user: NewUser): readonly Difference[] {
  const known: Readonly<Record<string, unknown>> = { ...there }
  return Object.entries(user)
    .filter(([column, value]) => known[column] !== value)
    .map(([column, value]) => ({ column, there: shown(known[column]), here: shown(value) }))
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, SHOWN + 1)
}

function refused(reason: string): ImportOutcome {
  return { outcome: 'refused', reasons: [reason], isEarly: false }
}
