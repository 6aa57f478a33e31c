import type { FastifyInstance } from 'fastify'
import type { NewDesign } from '../../services/designs/schema.js'
import type { Catalogue } from './protocol.js'

const BATCH = 500

/** A fresh user with a token and one design per page. */
export async function makeCatalogue(app: FastifyInstance, pages: number): Promise<Catalogue> {
  const email = `replay-${process.pid}-${Math.round(performance.timeOrigin)}@example.com`
  const { id: userId } = await app.users.create({ email, shop_name: 'Replay' })
  const { issued } = await app.tokens.create(userId, { name: 'replay' })
  for (let first = 0; first < pages; first += BATCH) {
    const count = Math.min(BATCH, pages - first)
    await app.designs.createMissing(
      userId,
      Array.from({ length: count }, (_, index) => design(first + index)),
    )
  }
  const rows = await app.db.query<{ id: string; filename: string }>({
    name: 'replay.ids',
    text: 'select id, filename from designs where user_id = $1::uuid',
    values: [userId],
  })
  const idOf = new Map(rows.map(({ id, filename }) => [filename, id]))
  const designIds = Array.from({ length: pages }, (_, page) => idOf.get(filenameOf(page)) ?? '')
  return { userId, token: issued.token, designIds }
}

/** About 700 bytes as JSON. */
function design(page: number): NewDesign {
  return {
    filename: filenameOf(page),
    file_path: `/originals/2013/07/${filenameOf(page)}`,
    description: `Page ${page} of the trace. ${'A watercolour of hills at dusk, ready to print. '.repeat(6)}`.trim(),
    tags: ['watercolour', 'landscape', 'dusk', `series-${page % 97}`],
    platform: 'etsy',
    is_digital: page % 2 === 0,
  }
}

function filenameOf(page: number): string {
  return `page-${page}.png`
}
