import type { Queryable } from '../database/database.js'
import { serializerOf } from '../documents/row-document.js'
import { exactTime } from '../resource/sql/row.js'
import { User } from './schema.js'

const PAGE_ROWS = 500

/** A user, and their line of an export. Tokens are in none: of them the service has hashes alone. */
export interface ExportedUser {
  readonly id: string
  readonly email: string
  readonly line: string
}

const serialize = serializerOf(User)

/** All users, the oldest first; times to the microsecond. */
export async function* exportUsers(db: Queryable): AsyncGenerator<ExportedUser> {
  for (let last: string | undefined; ;) {
    const text = `select id, version, email, shop_name, role, subscription_plan, is_active,
        ${['created_at', 'updated_at'].map(exactTime).join(', ')}
      from users ${last === undefined ? '' : 'where id > $2::uuid'} order by id limit $1::integer`
    const values = last === undefined ? [PAGE_ROWS] : [PAGE_ROWS, last]
    const page = await db.query<{ id: string; email: string; version: unknown }>({ name: 'users.export', text, values })
    for (const user of page) {
      const item = serialize({ ...user, version: Number(user.version) })
      yield { id: user.id, email: user.email, line: `{"kind":"user",${item.slice(1)}\n` }
    }
    last = page.at(-1)?.id
    if (last === undefined || page.length < PAGE_ROWS) return
  }
}
