import { profileEntry, tags } from '../cache-map.js'
import type { Document, Lookup, RaisedTag } from '../cache/index.js'
import { pageDocument, rowDocument, type Serialize } from '../catalogue/documents.js'
import { allowedVersions } from '../catalogue/etag.js'
import { requireVersion } from '../catalogue/min-version.js'
import type { Foundation, Saved } from '../catalogue/owned-row-service.js'
import type { AllowedVersions } from '../catalogue/owned-rows.js'
import { cutPage, pageOf } from '../catalogue/selection.js'
import { raiseTags, sqlState, type Queryable } from '../database/index.js'
import { EmailTakenError, NotFoundError, PreconditionFailedError } from '../errors.js'
import { deleteUser, findUser, insertUser, listUsers, lockUser, updateUser } from './repository.js'
import type { NewUser, PageQuery, User, UserChange } from './schema.js'

const UNIQUE_VIOLATION = '23505'

/** Users. One user is read through the cache; lists are for administrators and always read the database. */
export class UserService {
  readonly #foundation: Foundation
  readonly #serialize: Serialize<User>

  constructor(foundation: Foundation, serialize: Serialize<User>) {
    this.#foundation = foundation
    this.#serialize = serialize
  }

  /** The user; a lookup without a document when there is none. */
  get(id: string): Promise<Lookup> {
    const userId = id.toLowerCase()
    return this.#foundation.cache.getOrLoad(profileEntry(userId), async () => {
      const user = await findUser(this.#foundation.database, userId)
      return user && this.#document(user)
    })
  }

  /**
   * One page of all users, newest first.
   * @throws InvalidCursorError
   */
  async list(query: PageQuery): Promise<Document> {
    const { limit, after } = pageOf(query)
    const users = await listUsers(this.#foundation.database, after, limit + 1)
    const [page, nextCursor] = cutPage(users, limit)
    return pageDocument(page.map(this.#serialize), nextCursor)
  }

  /** @throws EmailTakenError */
  async create(body: NewUser): Promise<Saved> {
    const id = this.#foundation.newId()
    const [user, raised] = await this.#write(async (transaction) => {
      const inserted = await insertUser(transaction, id, body)
      return [inserted, await raiseTags(transaction, [tags.profile(id), tags.tokens(id)])] as const
    })
    const version = await this.#foundation.cache.raise(raised)
    return { id, document: this.#document(user), version }
  }

  /**
   * Changes the fields that `change` names. Once it resolves, a user made inactive is refused here.
   * @param ifMatch the If-Match header: compared and written in one statement
   * @throws NotFoundError, PreconditionFailedError, EmailTakenError
   */
  async update(id: string, change: UserChange, ifMatch?: string): Promise<Saved> {
    const userId = id.toLowerCase()
    const versions = allowedVersions(ifMatch)
    const [user, raised] = await this.#write(async (transaction) => {
      const updated = await updateUser(transaction, userId, change, versions)
      if (updated === undefined) throw await absence(transaction, userId, versions)
      return [updated, await raiseTags(transaction, [tags.profile(userId), tags.tokens(userId)])] as const
    })
    const version = await this.#foundation.cache.raise(raised)
    return { id: userId, document: this.#document(user), version }
  }

  /**
   * Deletes a user with every row and token of theirs.
   * @param ifMatch the If-Match header: compared under the row's lock
   * @returns the write's version token
   * @throws NotFoundError, PreconditionFailedError
   */
  async delete(id: string, ifMatch?: string): Promise<string> {
    const userId = id.toLowerCase()
    const versions = allowedVersions(ifMatch)
    const raised = await this.#foundation.database.transaction(async (transaction) => {
      const isLocked = await lockUser(transaction, userId, versions)
      if (!isLocked) throw await absence(transaction, userId, versions)
      await deleteUser(transaction, userId)
      return raiseTags(transaction, [tags.owner(userId), tags.profile(userId), tags.tokens(userId)])
    })
    return this.#foundation.cache.raise(raised)
  }

  /**
   * Reads of the user are at least as new, from here on, as the write whose version token this is.
   * @throws InvalidVersionError, DatabaseUnavailableError
   */
  require(id: string, version: string): Promise<void> {
    const userId = id.toLowerCase()
    return requireVersion(this.#foundation.cache, [tags.profile(userId), tags.owner(userId)], version)
  }

  /**
   * Clears everything of a user, on every replica: one version raised, whatever the number of entries.
   * @throws NotFoundError
   */
  async clear(id: string): Promise<readonly RaisedTag[]> {
    const { database, cache } = this.#foundation
    if ((await findUser(database, id)) === undefined) throw new NotFoundError('user')
    return cache.invalidate([tags.owner(id)])
  }

  /** The one unique index that a body can violate is that of the address. */
  async #write<T>(work: (transaction: Queryable) => Promise<T>): Promise<T> {
    try {
      return await this.#foundation.database.transaction(work)
    } catch (error) {
      throw sqlState(error) === UNIQUE_VIOLATION ? new EmailTakenError() : error
    }
  }

  #document(user: User): Document {
    return rowDocument(user, this.#serialize)
  }
}

/** Why no user could be written: 404 before 412. */
async function absence(transaction: Queryable, id: string, versions: AllowedVersions): Promise<Error> {
  const user = await findUser(transaction, id)
  return user === undefined || versions === undefined ? new NotFoundError('user') : new PreconditionFailedError()
}
