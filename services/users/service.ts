import type { Lookup, WriteOptions } from '../cache/index.js'
import { pageDocument, rowDocument, type Serialize, serializerOf } from '../documents/row-document.js'
import { ownersWhenRefused, ownerTag } from '../resource/addresses.js'
import { Condition, type Preconditions, splitChange } from '../resource/condition.js'
import { isChanged, type ServiceDependencies, type Saved } from '../resource/service.js'
import type { AllowedVersions, Written } from '../resource/sql/rows.js'
import { cutPage, pageOf } from '../resource/lists/list-query.js'
import type { Queryable } from '../database/database.js'
import { sqlState } from '../database/errors.js'
import type { Document } from '../documents/document.js'
import { EmailTakenError, NotFoundError, PreconditionFailedError } from '../errors.js'
import { profileEntry, profileTag, tokensTag } from './addresses.js'
import {
  compareUser,
  deleteUser,
  findUser,
  insertUser,
  type KeptOfUser,
  listUsers,
  lockUser,
  updateUser,
} from './repository.js'
import {
  type NewUser,
  type OwnChange,
  type PageQuery,
  readOnly,
  readOnlyToOneself,
  User,
  type UserChange,
} from './schema.js'

/** Names the list of all users, for its cursors. */
const LIST = 'users'

const UNIQUE_VIOLATION = '23505'

/** Users. One user is read through the cache; lists are for administrators and always read the database. */
export class UserService {
  readonly #dependencies: ServiceDependencies
  readonly #serialize: Serialize<object> = serializerOf(User)

  constructor(dependencies: ServiceDependencies) {
    this.#dependencies = dependencies
  }

  /** The user; a lookup without a document when there is none. */
  get(id: string): Promise<Lookup<Document>> {
    const userId = id.toLowerCase()
    const entry = profileEntry(userId)
    return this.#dependencies.cache.getOrLoad<Document>(entry.key, entry, async () => {
      const user = await findUser(this.#dependencies.database, userId)
      return user && this.document(user)
    })
  }

  /**
   * One page of all users, newest first.
   * @throws InvalidCursorError
   */
  async list(query: PageQuery): Promise<Document> {
    const { limit, after } = pageOf(LIST, query)
    const users = await listUsers(this.#dependencies.database, after, limit + 1)
    const [page, nextCursor] = cutPage(users, limit, LIST)
    return pageDocument(page.map(this.#serialize), nextCursor)
  }

  /**
   * @param own what the user keeps of the database that it comes from
   * @throws EmailTakenError
   */
  async create(body: NewUser, own: KeptOfUser = {}): Promise<Saved> {
    // What is to be told is known once the database has given the user an id.
    return this.#write([], () => insertUser(this.#dependencies.database, body, own))
  }

  /**
   * Changes the fields that `change` names; where they hold that already, nothing is written and no replica told. Once it resolves, a
   * user made inactive is refused here.
   * @param preconditions compared and written in one statement
   * @throws NotFoundError, PreconditionFailedError, EmailTakenError, ReadOnlyFieldError, InvalidRequestError
   */
  async update(id: string, change: UserChange, preconditions: Preconditions = {}): Promise<Saved> {
    const [fields, repeated] = splitChange(change, readOnly)
    return this.#update(id, fields, new Condition({ id, kind: 'user' }, preconditions, repeated))
  }

  /** {@link update} by the user: what only an administrator changes may be in `change` as it was read. */
  async updateOwn(id: string, change: OwnChange, preconditions: Preconditions = {}): Promise<Saved> {
    const [{ email, shop_name: shopName }, repeated] = splitChange(change, readOnlyToOneself)
    const fields = { ...(email !== undefined && { email }), ...(shopName !== undefined && { shop_name: shopName }) }
    return this.#update(id, fields, new Condition({ id, kind: 'user' }, preconditions, repeated))
  }

  async #update(id: string, fields: UserChange, condition: Condition): Promise<Saved> {
    const { database } = this.#dependencies
    const userId = id.toLowerCase()
    const work = async (): Promise<Written<User>> => {
      const versions = await condition.versions(() => findUser(database, userId))
      return this.#updateRow(userId, fields, versions)
    }
    return this.#write([profileTag(userId), tokensTag(userId)], work, { refusedBy: ownersWhenRefused(userId) })
  }

  /** Begins anew when somebody else's change came between its two looks at the row. */
  async #updateRow(id: string, change: UserChange, versions: AllowedVersions): Promise<Written<User>> {
    const { database } = this.#dependencies
    for (;;) {
      const updated = await updateUser(database, id, change, versions)
      if (updated !== undefined) return updated
      const there = await compareUser(database, id, change)
      if (there === undefined) throw new NotFoundError('user')
      const isAllowed = versions === undefined || versions.includes(there.found.row.version)
      if (!isAllowed) throw new PreconditionFailedError()
      if (!there.differs) return there.found
    }
  }

  /**
   * Deletes a user with every row and token of theirs.
   * @param preconditions compared under the row's lock
   * @returns the write's version token
   * @throws NotFoundError, PreconditionFailedError, InvalidRequestError
   */
  async delete(id: string, preconditions: Preconditions = {}): Promise<string> {
    const userId = id.toLowerCase()
    const condition = new Condition({ id, kind: 'user' }, preconditions)
    const { database, cache, versionOf, resources } = this.#dependencies
    // Every row of the user goes, and everything of theirs carries the owner's tag.
    const transaction = await cache.write([ownerTag(userId)], () =>
      database.transaction(async (transaction) => {
        const versions = await condition.versions(() => findUser(transaction, userId))
        const isLocked = await lockUser(transaction, userId, versions)
        if (!isLocked) throw await absence(transaction, userId, versions)
        return deleteUser(transaction, userId, resources)
      }),
    )
    return versionOf(transaction)
  }

  /**
   * Clears everything of a user, on every replica: one journal row, whatever the number of entries.
   * @returns the tags that were raised
   * @throws NotFoundError
   */
  async clear(id: string): Promise<readonly string[]> {
    const { database, cache } = this.#dependencies
    const cleared = [ownerTag(id)]
    if ((await findUser(database, id)) === undefined) {
      cache.doubt(cleared)
      throw new NotFoundError('user')
    }
    await cache.invalidate(cleared)
    return cleared
  }

  /** The one unique index that a body can violate is that of the address. */
  async #write(
    tags: readonly string[],
    work: () => Promise<Written<User>>,
    options: Pick<WriteOptions<Written<User>>, 'refusedBy'> = {},
  ): Promise<Saved> {
    const { cache, versionOf } = this.#dependencies
    try {
      const raised = (made: Written<User>): string[] => [profileTag(made.row.id), tokensTag(made.row.id)]
      const { row, transaction } = await cache.write(tags, work, { ...options, isChange: isChanged, raised })
      return { id: row.id, document: this.document(row), version: versionOf(transaction) }
    } catch (error) {
      throw sqlState(error) === UNIQUE_VIOLATION ? new EmailTakenError() : error
    }
  }

  document(user: User): Document {
    return rowDocument(user, this.#serialize)
  }
}

/** Why no user could be written: 404 before 412. */
async function absence(transaction: Queryable, id: string, versions: AllowedVersions): Promise<Error> {
  const user = await findUser(transaction, id)
  return user === undefined || versions === undefined ? new NotFoundError('user') : new PreconditionFailedError()
}
