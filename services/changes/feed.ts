import { covers, parseSnapshot, sees, type TieredCache } from '../cache/index.js'
import type { Database } from '../database/database.js'
import { DatabaseUnavailableError } from '../database/errors.js'
import { LARGE_WORK, ownTurn } from '../documents/own-turn.js'
import { ChangesOffError, CursorExpiredError } from '../errors.js'
import { ownerTag } from '../resource/addresses.js'
import { PAGE_BYTES } from '../resource/sql/bounded-rows.js'
import type { ResourceDefinition } from '../resource/definition.js'
import type { LoadQueue } from '../resource/lists/load-queue.js'
import { CurrentRows } from './current-rows.js'
import type { Cursor, Cursors } from './cursors.js'
import { USERS } from './installation.js'
import { ChangesStatements, type Found, type Look, type Position, type Seen } from './statements.js'

export interface FeedOptions {
  readonly database: Database
  readonly resources: readonly ResourceDefinition[]
  readonly loadQueue: LoadQueue
  readonly cursors: Cursors
  readonly cache: Pick<TieredCache, 'doubt'>
  /** For how long after a change lists may still be answered without it, by any replica, in ms; 0: never by another one. */
  readonly staleMs: number
  readonly now: () => number
  readonly sleep: (ms: number) => Promise<void>
}

/** One change as JSON, and the cursor behind it. */
export interface Change {
  readonly json: string
  readonly cursor: () => string
}

export interface ChangesPage {
  readonly changes: readonly Change[]
  readonly nextCursor: string
  /** Is there more in the window? Otherwise all is said that had become visible when it was asked. */
  readonly isMore: boolean
}

/** What the database showed some time ago. */
interface Sample {
  readonly at: number
  readonly history: string
  readonly snapshot: string
}

const SAMPLES = 2
/** Nothing asks for a change: it is asked whether there is one. */
const NOTHING: Pick<Look, 'limit'> = { limit: 1 }

/**
 * What changed of a user's rows since a cursor, in the order in which it became visible. A cursor is a snapshot of the database, which
 * says exactly what its owner has seen: what one page brings the next one does not, and what commits late is not missed.
 *
 * The pages of one window end at the same snapshot. Each change is delivered with the row as it is now, unless that has changed again:
 * then it stands in the feed a second time, and comes there.
 */
export class ChangesFeed {
  readonly #options: FeedOptions
  readonly statements: ChangesStatements
  readonly #rows: CurrentRows
  #samples: readonly Sample[] = []

  constructor(options: FeedOptions) {
    this.#options = options
    this.statements = new ChangesStatements(options.resources)
    this.#rows = new CurrentRows(options.resources, options.database.kind)
  }

  /**
   * A cursor from now on. All lists that are read after it, on any replica, show at least what it has seen; for that it waits
   * up to the staleness bound where something of the user changed just now.
   * @throws ChangesOffError, DatabaseUnavailableError
   */
  async start(userId: string): Promise<string> {
    const { cache, staleMs, now, sleep, cursors } = this.#options
    const askedAt = now()
    const sample = this.#samples.find(({ at }) => askedAt - at > staleMs)
    const look = { userId, history: sample?.history, from: sample?.snapshot, ...NOTHING }
    const { snapshot, history, found, cut } = await this.#current(look)
    cache.doubt([ownerTag(userId)])
    const isQuiet = sample?.history === history && found.length === 0 && cut === null
    if (!isQuiet && staleMs > 0) await sleep(staleMs)
    return cursors.seal(userId, { history, from: snapshot })
  }

  /**
   * The next page behind a cursor; fewer changes than the limit when they would be longer than a page.
   * @throws InvalidCursorError, CursorExpiredError, ChangesOffError, TooManyReadsError, DatabaseUnavailableError
   */
  async page(userId: string, cursorText: string, limit: number): Promise<ChangesPage> {
    const { cursors } = this.#options
    const cursor = cursors.open(userId, cursorText)
    const look: Look = {
      userId,
      history: cursor.history,
      from: cursor.from,
      to: cursor.window?.to,
      after: cursor.window?.after,
      limit: limit + 1,
    }
    const seen = await this.#current(look)
    if (seen.history === cursor.history) {
      if (isOfAnother(cursor, seen)) throw new CursorExpiredError()
      return this.#delivered(userId, cursor, seen, limit)
    }
    // Ids of transactions may have been given out again since: what the mark sees is certain, and the rest comes again.
    if (seen.safe === null) throw new CursorExpiredError()
    const from = isCovered(cursor.from, seen.safe) ? cursor.from : seen.safe
    const earlier = { history: seen.history, from }
    const again = await this.#current({ userId, ...earlier, limit: limit + 1 })
    if (again.history !== seen.history) throw new DatabaseUnavailableError('it is restarting')
    if (isOfAnother(cursor, again)) throw new CursorExpiredError()
    return this.#delivered(userId, earlier, again, limit)
  }

  /** Takes note of what the database shows now: {@link ChangesFeed.start} needs to know what it showed a while ago. */
  async sample(): Promise<void> {
    const { snapshot, history } = await this.#current({ userId: NOBODY, ...NOTHING })
    this.#samples = [{ at: this.#options.now(), history, snapshot }, ...this.#samples.slice(0, SAMPLES - 1)]
  }

  /** A look at a feed that is on and whole, in a history that goes on: one is made where there is none. */
  async #current(look: Look): Promise<Seen & { readonly history: string }> {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const seen = await this.#look(look)
      if (!seen.is_on) throw new ChangesOffError()
      if (!seen.is_complete) {
        throw new DatabaseUnavailableError(
          'triggers that write down changes are missing or switched off: migrate again',
        )
      }
      if (seen.history !== null) return { ...seen, history: seen.history }
      await this.#begin()
    }
    throw new DatabaseUnavailableError('it is being restarted or migrated')
  }

  async #look(look: Look): Promise<Seen> {
    const [seen] = await this.#options.database.query<Seen>(this.statements.look(look))
    if (seen === undefined) throw new DatabaseUnavailableError('changes_state has no row: migrate again')
    return seen
  }

  /** Makes a history, unless somebody else was faster. Earlier ones of the same place stay: their marks are good. */
  async #begin(): Promise<void> {
    const { statements } = this
    await this.#options.database.transaction(async (transaction) => {
      const [own] = await transaction.query<{ snapshot: string }>(statements.snapshot)
      if (own === undefined) return
      await transaction.query(statements.lock)
      const [seen] = await transaction.query<Seen>(statements.look({ userId: NOBODY, ...NOTHING }))
      if (seen?.history !== null || !seen.is_on || !seen.is_complete) return
      const others = await transaction.query(statements.forgetOthers)
      const earlier = await transaction.query(statements.anyHistory)
      if (others.length > 0 || earlier.length === 0) await transaction.query(statements.forgetStrangers)
      await transaction.query(statements.begin(own.snapshot))
    })
  }

  async #delivered(userId: string, cursor: Cursor, seen: Seen, limit: number): Promise<ChangesPage> {
    if (!isCovered(seen.pruned, cursor.from)) throw new CursorExpiredError()
    const { cursors } = this.#options
    const to = cursor.window?.to ?? seen.snapshot
    const { history, from } = cursor
    const behind = (after: Position) => (): string => cursors.seal(userId, { history, from, window: { to, after } })
    const end = (): string => cursors.seal(userId, { history, from: to })
    const found = seen.found.slice(0, limit)
    const isMoreFound = seen.found.length > limit
    const finished = (): Omit<ChangesPage, 'changes'> => {
      const { cut } = seen
      return cut === null || isMoreFound
        ? { nextCursor: isMoreFound ? behind(positionOf(found.at(-1)))() : end(), isMore: isMoreFound }
        : { nextCursor: behind(positionOf(cut))(), isMore: true }
    }
    if (found.length === 0) return { changes: [], ...finished() }
    return this.#options.loadQueue.run(userId, async () => {
      const { changes, last } = await this.#read(userId, found, behind)
      if (last === found.length) return { changes, ...finished() }
      return { changes, nextCursor: behind(positionOf(found[last - 1]))(), isMore: true }
    })
  }

  /** The changes, and how many of `found` they are: as many as fit. */
  async #read(
    userId: string,
    found: readonly Found[],
    behind: (after: Position) => () => string,
  ): Promise<{ readonly changes: readonly Change[]; readonly last: number }> {
    const current = await this.#rows.of(this.#options.database, userId, found)
    const changes: Change[] = []
    let bytes = 0
    let unturned = 0
    for (const [index, change] of found.entries()) {
      const json = await jsonOf(change, current)
      if (json === undefined) continue
      bytes += Buffer.byteLength(json)
      if (bytes > PAGE_BYTES && changes.length > 0) return { changes, last: index }
      changes.push({ json, cursor: behind(positionOf(change)) })
      unturned += json.length
      if (unturned > LARGE_WORK) {
        await ownTurn()
        unturned = 0
      }
    }
    return { changes, last: found.length }
  }
}

const NOBODY = '00000000-0000-0000-0000-000000000000'

/** The user was made since: of the rows of who had their id before nothing tells that they have gone. */
function isOfAnother({ history, from }: Cursor, { found }: Seen): boolean {
  const own = parseSnapshot(from)
  const isKnown = ([transaction, , , , , madeIn]: Found): boolean =>
    own !== undefined && madeIn === history && sees(own, Number(transaction))
  return found.some((change) => change[2] === USERS && !isKnown(change))
}

/** `undefined` when the row has changed again, or gone: that is a later change. */
async function jsonOf(change: Found, current: Awaited<ReturnType<CurrentRows['of']>>): Promise<string | undefined> {
  const [, id, resource, version, isDeleted, oldExternalId] = change
  if (resource === USERS) return undefined
  if (isDeleted) return head({ resource, id, externalId: oldExternalId, kind: 'deleted' }) + '}'
  const now = await current(change)
  if (now === undefined || String(now.row.version) !== version) return undefined
  return `${head({ resource, id, externalId: now.row.external_id, kind: 'changed' })},"row":${now.json()}}`
}

function head(change: {
  readonly resource: string
  readonly id: string
  readonly externalId: string | null
  readonly kind: 'changed' | 'deleted'
}): string {
  const { resource, id, externalId, kind } = change
  const named = externalId === null ? {} : { external_id: externalId }
  return JSON.stringify({ resource, id, ...named, kind }).slice(0, -1)
}

function positionOf(change: Seen['cut'] | Found | undefined): Position {
  if (change === undefined || change === null) throw new Error('A window that goes on has a change in it')
  const [transaction, rowId, resource, version] = change
  return { transaction: BigInt(transaction), rowId, resource, version: BigInt(version) }
}

/** Does the snapshot `later` see all that `earlier` does? Both are Postgres' own text. */
function isCovered(earlier: string, later: string): boolean {
  const [less, more] = [parseSnapshot(earlier), parseSnapshot(later)]
  if (less === undefined || more === undefined) throw new Error('The database gave no snapshot')
  return covers(more, less)
}
