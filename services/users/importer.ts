import type { ServiceDependencies } from '../resource/dependencies.js'
import type { ImportMode } from '../resource/import/importer.js'
import type { RowKey } from '../resource/import/planned-rows.js'
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

/** Writes users into a catalogue, each once: by the id that it keeps, or by its email address. One at a time: there are few. */
export class UserImporter {
  readonly #database: ServiceDependencies['database']
  readonly #users: UserService

  constructor({ database }: Pick<ServiceDependencies, 'database'>, users: UserService) {
    this.#database = database
    this.#users = users
  }

  /** @throws DatabaseUnavailableError */
  async write({ body: user, own }: ImportedUser, mode: ImportMode): Promise<ImportOutcome> {
    for (let attempt = 1; ; attempt += 1) {
      const ofAddress = await findUserByEmail(this.#database, user.email)
      const found = own?.id === undefined ? ofAddress : await findUser(this.#database, own.id)
      if (own?.id !== undefined && ofAddress !== undefined && ofAddress.id !== found?.id) {
        return refused(`another user has its email (${ofAddress.id})`)
      }
      if (found !== undefined) return this.#meet(found, user, mode)
      if (mode.planned !== undefined) return plan(user, own?.id, mode)
      try {
        await this.#users.create(user, own)
        return { outcome: 'created' }
      } catch (error) {
        // Somebody else made one with this address or id: the next look finds it.
        if (!(error instanceof EmailTakenError) || attempt === MOST_ATTEMPTS) throw error
      }
    }
  }

  async #meet(there: User, user: NewUser, mode: ImportMode): Promise<ImportOutcome> {
    if (mode.existing === 'keep') return { outcome: 'there' }
    const compared = await compareUser(this.#database, there.id, user)
    if (compared?.differs === false) return { outcome: 'equal' }
    if (mode.existing === 'compare')
      return { outcome: 'different', differences: differencesOf(there, user), isNew: false }
    if (mode.planned === undefined) await this.#users.update(there.id, user)
    return { outcome: 'updated' }
  }
}

/** As it would meet what earlier lines would have made. */
function plan(user: NewUser, id: string | undefined, { planned, existing }: ImportMode): ImportOutcome {
  const keys: RowKey[] = [{ by: 'natural_key', key: user.email.toLowerCase() }]
  if (id !== undefined) keys.unshift({ by: 'id', key: id })
  const line = { nth: 0, keys, columns: { ...user } }
  const found = planned?.candidates(TABLE, NOBODY, line, []) ?? []
  const [byId, ofAddress] = (['id', 'natural_key'] as const).map((by) => found.find((each) => each.found_by === by))
  if (id !== undefined && ofAddress !== undefined && ofAddress.id !== byId?.id)
    return refused(`another user has its email (${ofAddress.id})`)
  const there = id === undefined ? ofAddress : byId
  if (there?.plan === undefined) {
    planned?.create(TABLE, NOBODY, line)
    return { outcome: 'created' }
  }
  if (existing === 'keep') return { outcome: 'there' }
  const differences = planned?.differing(TABLE, there.plan, line.columns, {}) ?? []
  if (differences.length === 0) return { outcome: 'equal' }
  if (existing === 'compare') return { outcome: 'different', differences, isNew: true }
  planned?.change(TABLE, NOBODY, line, there.id)
  return { outcome: 'updated' }
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
