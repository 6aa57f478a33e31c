import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { Test } from 'tap'

/** The PostgreSQL of a whole run, where there is one. */
export function postgresOfRun(): string | undefined {
  return process.env['TEST_DATABASE_URL']
}

/** Of {@link postgresOfRun}: a database that has been migrated, to be copied. Nobody may connect to it. */
export function templateOfRun(): string | undefined {
  return process.env['TEST_DATABASE_TEMPLATE']
}

/** Makes a database on a server, empty or a copy of `template`, which is dropped at the end of `test`; returns its URL. */
export async function createDatabase(test: Test, server: string, template = 'template1'): Promise<string> {
  const name = databaseName()
  await run(server, `create database ${name} template ${template}`)
  test.teardown(() => run(server, `drop database ${name} with (force)`))
  return urlOf(server, name)
}

export function databaseName(): string {
  return `roundhouse_test_${randomBytes(6).toString('hex')}`
}

export function urlOf(server: string, database: string): string {
  const url = new URL(server)
  url.pathname = `/${database}`
  return url.href
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
