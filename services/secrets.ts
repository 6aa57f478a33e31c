import type { Database } from './database/database.js'

/**
 * What the service seals and proves with: TOKEN_SECRET first, where that is set, then the row of the database, which a migration made
 * once and which restores and clones carry along. New things are made with the first; what was made with the other stays good.
 * @throws Error when there is neither
 */
export async function secretsOf(
  database: Database,
  tokenSecret: string | undefined,
): Promise<readonly [string, ...string[]]> {
  const text = `select secret from service_secrets where name = 'tokens'`
  const [row] = await database.query<{ secret: string }>({ name: 'service_secrets.find', text })
  const [first, ...others] = [tokenSecret, row?.secret].filter((secret) => secret !== undefined)
  if (first === undefined) throw new Error(`service_secrets has no row 'tokens': set TOKEN_SECRET, or put the row back`)
  return [first, ...others]
}
