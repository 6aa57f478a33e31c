import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { Test } from 'tap'

/** The PostgreSQL of a whole run, where there is one. */
export function postgresOfRun(): string | undefined {
  return process.env['TEST_DATABASE_URL']
}

/** Makes an empty database on a server, which is dropped at the end of `test`; returns its URL. */
export async function createDatabase(test: Test, server: string): Promise<string> {
  const name = `roundhouse_test_${randomBytes(6).toString('hex')}`
  await run(server, `create database ${name}`)
  test.teardown(() => run(server, `drop database ${name} with (force)`))
  const made = new URL(server)
  made.pathname = `/${name}`
  return made.href
}

/** Runs SQL over a connection of its own. */
export async function run(url: string, text: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}
