import type { Queryable } from './database.js'
import { CanNotStartError } from './errors.js'

const OLDEST_MAJOR = 14

export interface ServerFacts {
  /** Such as 150018. */
  readonly version: number
  readonly encoding: string
}

/**
 * The journal reads snapshots by functions that came with PostgreSQL 13 and 14, and text in another encoding than UTF-8 would be refused
 * or changed row by row.
 * @throws CanNotStartError when the server is too old, or the database in another encoding
 */
export async function checkServer(database: Queryable): Promise<void> {
  const [facts] = await database.query<ServerFacts>({
    name: 'server.check',
    text: `select current_setting('server_version_num')::integer as version, getdatabaseencoding()::text as encoding`,
  })
  const refusal = facts && refusalOf(facts)
  if (refusal !== undefined) throw new CanNotStartError(refusal)
}

/** Why nothing can be kept there, and what to do; `undefined`: it can. */
export function refusalOf({ version, encoding }: ServerFacts): string | undefined {
  const major = Math.floor(version / 10_000)
  if (major < OLDEST_MAJOR) {
    return `The database is PostgreSQL ${major}, and ${OLDEST_MAJOR} or newer is needed: upgrade it, or set DATABASE_URL to another`
  }
  if (encoding === 'UTF8') return undefined
  return (
    `The database is in ${encoding}, and UTF8 is needed: ` +
    `create one by "create database … encoding 'UTF8' template template0" and set DATABASE_URL to it`
  )
}
