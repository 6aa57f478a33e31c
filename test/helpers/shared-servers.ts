import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { Test } from 'tap'

/**
 * The servers of a whole run: those that `npm test` has started, or those that TEST_DATABASE_URL and TEST_REDIS_URL name. A
 * test file that is run alone starts its own. Whoever breaks a server, or sets it up in a way of its own, takes
 * helpers/postgres.ts or helpers/redis.ts instead.
 */

/** Has the run a PostgreSQL, so that {@link sharedPostgres} starts none? */
export function isPostgresShared(): boolean {
  return process.env['TEST_DATABASE_URL'] !== undefined
}

/** Makes empty databases, which are dropped at the end of `test`. */
export async function sharedPostgres(test: Test): Promise<{ createDatabase(): Promise<string> }> {
  const url = process.env['TEST_DATABASE_URL'] ?? (await ownPostgres(test))
  return {
    async createDatabase() {
      const name = `roundhouse_test_${randomBytes(6).toString('hex')}`
      await run(url, `create database ${name}`)
      test.teardown(() => run(url, `drop database ${name} with (force)`))
      const made = new URL(url)
      made.pathname = `/${name}`
      return made.href
    },
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

async function run(url: string, text: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}
