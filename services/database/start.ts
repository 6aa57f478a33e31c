import { systemClock } from '../cache/index.js'
import { CanNotStartError, DatabaseUnavailableError } from './errors.js'
import type { MigratableDatabase } from './migratable.js'
import { migrate, type MigrateOptions } from './migrate.js'
import { lastingRefusal } from './refusal.js'
import { checkServer } from './server-check.js'
import type { Table } from './table-indexes.js'

/** How long a database that does not answer yet is waited for, in ms. */
const WAIT_LIMIT_MS = 20_000
const PAUSE_MS = 500

export interface StartOptions extends Pick<MigrateOptions, 'install'> {
  /** Told what the start waits for, once for each reason. */
  readonly onWait: (line: string) => void
}

/**
 * {@link migrate} on a database that may not answer yet, once it is known to be one that the service can use.
 * @throws CanNotStartError when it refuses for good, or does not answer for 20 s
 */
export async function startDatabase(
  database: MigratableDatabase,
  tables: readonly Table[],
  { onWait, install }: StartOptions,
): Promise<string[]> {
  const giveUpAt = systemClock.now() + WAIT_LIMIT_MS
  let told = ''
  for (;;) {
    try {
      await checkServer(database)
      const onHolder = (holder: string): void => onWait(`The schema is being migrated: ${holder}`)
      return await migrate(database, tables, { onWait: onHolder, install })
    } catch (error) {
      const refusal = lastingRefusal(error)
      if (refusal !== undefined) throw new CanNotStartError(refusal, { cause: error })
      if (!(error instanceof DatabaseUnavailableError)) throw error
      if (systemClock.now() > giveUpAt) {
        throw new CanNotStartError(`${error.message}. Is DATABASE_URL right, and is the server up?`, { cause: error })
      }
      if (told !== error.message) onWait(`${error.message}. Trying again for ${WAIT_LIMIT_MS / 1000} s at most`)
      told = error.message
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
}
