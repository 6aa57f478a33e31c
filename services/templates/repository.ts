import type { Queryable } from '../database/database.js'

/** Whose template it is; `undefined` when there is none. */
export async function ownerOfTemplate(database: Queryable, id: string): Promise<string | undefined> {
  const [row] = await database.query<{ user_id: string }>({
    name: 'templates.owner',
    text: 'select user_id from templates where id = $1::uuid',
    values: [id],
  })
  return row?.user_id
}
