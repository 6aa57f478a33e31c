import { dataDirFault, databaseFolder, makeFolder } from './data-dir.js'
import { lockDataDir } from './data-dir-lock.js'
import { PgliteWorker, type Runner } from './worker-client.js'
import { Admission, type AdmissionOptions, type Entrant } from '../admission.js'
import type { DatabaseLoad, Queryable, Session, Statement, Transactional } from '../database.js'
import { CanNotStartError, toSeamError } from '../errors.js'
import type { MigratableDatabase, ScriptRunner } from '../migratable.js'
import { look, sessionText } from '../session-settings.js'

export interface PgliteOptions {
  readonly dataDir: string
  readonly onQuery: (statementName: string) => void
  /** Of what waits for its turn. */
  readonly line: Omit<AdmissionOptions, 'most'>
}

/** One at a time runs, and the next is at hand. The rest is in line, so that the journal is read after two others at most. */
const MOST_INSIDE = 2

/**
 * Opens the embedded database in `dataDir`, making it if need be (some seconds the first time).
 * @throws CanNotStartError when another process has it open, or the folder does not allow it
 */
export async function openPglite(options: PgliteOptions): Promise<PgliteDatabase> {
  const { dataDir } = options
  makeFolder(dataDir)
  const unlock = await lockDataDir(dataDir)
  try {
    return new PgliteDatabase(await openSession(databaseFolder(dataDir)), options, unlock)
  } catch (error) {
    unlock()
    // PGlite's own words name no cause.
    const fault = dataDirFault(dataDir) ?? 'holds files that the embedded database can not read: choose another folder'
    throw new CanNotStartError(`DATA_DIR ${fault}`, { cause: error })
  }
}

async function openSession(folder: string): Promise<PgliteWorker> {
  const pglite = await PgliteWorker.open(folder)
  try {
    const given = await look((text, values) => pglite.query<object>(text, values))
    await pglite.script(sessionText(given, given.schema ?? 'public', { statementMs: 0, idleMs: 0 }))
    return pglite
  } catch (error) {
    // Or its thread would go on with the files when the lock is dropped.
    await pglite.close().catch(() => {})
    throw error
  }
}

class PgliteDatabase implements MigratableDatabase {
  readonly kind = 'pglite'
  readonly reserved: Queryable
  readonly #pglite: PgliteWorker
  readonly #onQuery: (statementName: string) => void
  readonly #unlock: () => void
  readonly #admission: Admission
  readonly #sessions = new Set<PgliteSession>()
  #last: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(pglite: PgliteWorker, { onQuery, line }: PgliteOptions, unlock: () => void) {
    this.#pglite = pglite
    this.#onQuery = onQuery
    this.#unlock = unlock
    this.#admission = new Admission({ ...line, most: MOST_INSIDE })
    this.reserved = { query: (statement) => this.#inTurn(() => this.#run(this.#pglite, statement)) }
  }

  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    return this.#query(statement)
  }

  async transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T> {
    return this.#admitted(work)
  }

  ofUser(user: string, since?: number): Transactional {
    return this.#inLine({ user, since })
  }

  writesOf(user: string): Transactional {
    return this.#inLine({ user, isWrite: true })
  }

  #inLine(entrant: Entrant): Transactional {
    return {
      query: (statement) => this.#query(statement, entrant),
      transaction: (work) => this.#admitted(work, entrant),
    }
  }

  get load(): DatabaseLoad {
    return { ...this.#admission.counts, isFull: this.#admission.isFull }
  }

  #query<Row extends object>(statement: Statement, entrant?: Entrant): Promise<Row[]> {
    return this.#admission.run(() => this.#inTurn(() => this.#run<Row>(this.#pglite, statement)), entrant)
  }

  #admitted<T>(work: (transaction: Queryable) => Promise<T>, entrant: Entrant = { isWrite: true }): Promise<T> {
    const run = (): Promise<T> =>
      this.#transaction((transaction) => work({ query: (statement) => this.#run(transaction, statement) }))
    return this.#admission.run(() => this.#inTurn(run), entrant)
  }

  async listen(channel: string, onNotification: (payload: string) => void): Promise<Session> {
    const unlisten = await this.#pglite.listen(`"${channel.replaceAll('"', '""')}"`, onNotification).catch(rethrow)
    const session = new PgliteSession(this, unlisten)
    this.#sessions.add(session)
    void session.closed.then(() => this.#sessions.delete(session))
    return session
  }

  async connect(): Promise<Session> {
    return new PgliteSession(this, async () => {})
  }

  /** The one connection leads to the one database. */
  renewConnections(): void {}

  /** The one connection is the lock: a transaction of another kind waits for this one. */
  async exclusively<T>(work: (runner: ScriptRunner) => Promise<T>): Promise<T> {
    return this.#transaction((transaction) =>
      work({
        query: (text) => transaction.query<object>(text),
        script: (text) => transaction.script(text),
      }),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.close()))
    await this.#last
    try {
      await this.#pglite.close()
    } finally {
      this.#unlock()
    }
  }

  /** What `work` throws comes out as it is; what the driver throws (at BEGIN or COMMIT) in the seam's words. */
  async #transaction<T>(work: (transaction: Runner) => Promise<T>): Promise<T> {
    let thrown: unknown
    const keepThrown = (error: unknown): never => {
      thrown = error
      throw error
    }
    return this.#pglite
      .transaction(async (transaction) => work(transaction).catch(keepThrown))
      .catch((error: unknown) => {
        throw error === thrown ? error : toSeamError(error)
      })
  }

  async #run<Row extends object>(on: Runner, statement: Statement): Promise<Row[]> {
    this.#onQuery(statement.name)
    try {
      return await on.query<Row>(statement.text, statement.values)
    } catch (error) {
      throw toSeamError(error)
    }
  }

  /** One after the other; the close waits for the last of them. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.then(
      () => {},
      () => {},
    )
    return result
  }
}

/** Shares the one connection; ends only when it is closed. */
class PgliteSession implements Session {
  readonly closed: Promise<undefined>
  readonly #database: Pick<PgliteDatabase, 'reserved'>
  readonly #unlisten: () => Promise<void>
  #settle: () => void = () => {}

  constructor(database: Pick<PgliteDatabase, 'reserved'>, unlisten: () => Promise<void>) {
    this.#database = database
    this.#unlisten = unlisten
    this.closed = new Promise((resolve) => {
      this.#settle = () => resolve(undefined)
    })
  }

  async query<Row extends object>(statement: Statement): Promise<Row[]> {
    return this.#database.reserved.query<Row>(statement)
  }

  async close(): Promise<void> {
    this.#settle()
    await this.#unlisten()
  }
}

function rethrow(error: unknown): never {
  throw toSeamError(error)
}
