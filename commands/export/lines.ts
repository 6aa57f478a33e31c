import type { Database } from '../../services/database/index.js'
import { resources } from '../../services/domains.js'
import { RowExport } from '../../services/export/row-export.js'
import type { Queryable } from '../../services/database/index.js'
import { exportUsers } from '../../services/users/export.js'
import type { ExportArguments } from './arguments.js'

/**
 * The lines of an export in chunks. What a row refers to comes before it.
 * @throws Error when there is no such user
 */
export async function* exportedLines(
  db: Queryable,
  kind: Database['kind'],
  { userId, kinds }: Pick<ExportArguments, 'userId' | 'kinds'>,
): AsyncGenerator<string> {
  const exports = resources
    .filter(({ name }) => kinds.includes(name))
    .map((definition) => new RowExport(definition, resources, kind))
  if (userId !== undefined) {
    const [user] = await db.query({
      name: 'export.user',
      text: 'select id from users where id = $1::uuid',
      values: [userId],
    })
    if (user === undefined) throw new Error(`There is no user ${userId}`)
    for (const rows of exports) yield* rows.chunks(db, userId)
    return
  }
  for await (const { id, email, line } of exportUsers(db)) {
    yield line
    for (const rows of exports) yield* rows.chunks(db, id, { user_email: email })
  }
}

/** How many lines that will be, for who waits. */
export async function countLines(
  db: Queryable,
  { userId, kinds }: Pick<ExportArguments, 'userId' | 'kinds'>,
): Promise<number> {
  const tables = resources.flatMap(({ name }) => (kinds.includes(name) ? [name] : []))
  const counts = tables.map((table) =>
    userId === undefined
      ? `(select count(*) from ${table})`
      : `(select count(*) from ${table} where user_id = $1::uuid)`,
  )
  const all = userId === undefined ? ['(select count(*) from users)', ...counts] : counts
  const [row] = await db.query<{ lines: string }>({
    name: 'export.count',
    text: `select (${all.join(' + ')})::text as lines`,
    ...(userId !== undefined && { values: [userId] }),
  })
  return Number(row?.lines ?? 0)
}
