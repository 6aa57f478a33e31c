import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { v7 as newId } from 'uuid'
import { SECRET_BYTES, tokenHash } from '../../services/users/token-text.js'
import { packUuid } from '../../services/uuid-text.js'

export interface Shop {
  readonly token: string
  readonly designIds: readonly string[]
}

/** Users with a token and many designs of 1 KiB each, put into the tables directly: nothing of them is cached yet. */
export async function makeShops(databaseUrl: string, shops: number, designs: number): Promise<Shop[]> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  const made: Shop[] = []
  try {
    for (let n = 0; n < shops; n++) {
      const userId = newId()
      // Of the kind without a MAC: the secret of the service is not ours.
      const token = `rh_${packUuid(userId)}_${randomBytes(SECRET_BYTES).toString('base64url')}`
      const designIds = Array.from({ length: designs }, () => newId())
      await client.query('insert into users (id, email, shop_name) values ($1, $2, $3)', [
        userId,
        `${userId}@example.com`,
        'A shop',
      ])
      await client.query('insert into tokens (id, user_id, name, hash) values ($1, $2, $3, $4)', [
        newId(),
        userId,
        'bench',
        tokenHash(token),
      ])
      await client.query(
        `insert into designs (id, user_id, filename, file_path, description, tags, platform)
         select id, $1, id || '.png', 'designs/' || id || '.png', repeat('A pattern of leaves in four colours. ', 16), '{leaves,cotton}', 'etsy'
         from unnest($2::uuid[]) as id`,
        [userId, designIds],
      )
      made.push({ token, designIds })
    }
    await client.query('analyze')
  } finally {
    await client.end()
  }
  return made
}
