import pg from 'pg'
import type { Test } from 'tap'
import { createJournal, installJournal, type Journal, type TailAnswer } from '../../../services/cache/index.js'

/** What the journal's tests watch. */
export const TABLES = [{ table: 'things', row: '{owner}/things/{id}', list: '{owner}/things', owner: '{owner}/all' }]

/** A journal in a database of its own, and ways to it. */
export interface JournalScene {
  readonly pool: pg.Pool
  readonly url: string
  readonly journal: Journal
  query(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  /** A tail that finds an identity: the one before may have had to make the journal anew. */
  tail(since?: string, identity?: string): Promise<TailAnswer & { readonly identity: string }>
}

export async function install(pool: pg.Pool, tables = TABLES): Promise<void> {
  const client = await pool.connect()
  await client.query('begin')
  await installJournal(client, tables)
  await client.query('commit')
  client.release()
}

/** @param server Whose state the test may spoil: one of its own. */
export async function journalScene(
  t: Test,
  server: { createDatabase(): Promise<string> },
  { mostTags = 100_000 } = {},
): Promise<JournalScene> {
  const url = await server.createDatabase()
  const pool = new pg.Pool({ connectionString: url })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  t.teardown(() => pool.end())
  await pool.query('create table things (id integer primary key, owner text, note text)')
  await install(pool)
  const journal = createJournal({ sql: pool, tables: TABLES, mostTags })
  const tail = async (since?: string, identity?: string) => {
    for (let attempt = 0; ; attempt++) {
      const answer = await journal.tail(since, identity)
      if (answer.identity !== undefined) return { ...answer, identity: answer.identity }
      if (attempt === 2) throw new Error(answer.fault)
    }
  }
  const query = async (text: string, values?: unknown[]) => (await pool.query(text, values)).rows
  return { pool, url, journal, query, tail }
}

/** All tags that a tail has brought, sorted. */
export const tagsOf = ({ changes }: TailAnswer): string[] => (changes ?? []).flatMap(({ tags }) => tags).sort()
