import type { Test } from 'tap'
import { createDatabase, postgresOfRun, templateOfRun } from './databases.js'

/**
 * The servers of a whole run: those that `npm test` has started, or those that TEST_DATABASE_URL and TEST_REDIS_URL name. A
 * test file that is run alone starts its own. Whoever breaks a server, or sets it up in a way of its own, takes
 * postgres.ts or redis.ts beside it instead.
 */

export interface SharedPostgres {
  /** An empty one. */
  createDatabase(): Promise<string>
  /** For who starts the service on it: a migrated one, or an empty one that the service migrates where the run has none to copy. */
  serviceDatabase(): Promise<string>
}

/** Makes databases, which are dropped at the end of `test`. */
export async function sharedPostgres(test: Test): Promise<SharedPostgres> {
  const url = postgresOfRun() ?? (await ownPostgres(test))
  return {
    createDatabase: () => createDatabase(test, url),
    serviceDatabase: () => createDatabase(test, url, templateOfRun()),
  }
}

/** Keys of the cache are apart by the identity of the database; what a test stores itself needs a prefix of its own. */
export async function sharedRedis(test: Test): Promise<{ readonly url: string }> {
  return { url: process.env['TEST_REDIS_URL'] ?? (await ownRedis(test)) }
}

async function ownPostgres(test: Test): Promise<string> {
  const { startPostgres } = await import('./postgres.js')
  const server = await startPostgres()
  test.teardown(() => server.stop())
  return server.url
}

async function ownRedis(test: Test): Promise<string> {
  const { startRedis } = await import('./redis.js')
  const server = await startRedis()
  test.teardown(() => server.stop())
  return server.url
}
