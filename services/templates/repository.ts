import { commonFields } from '../catalogue/common-fields.js'
import type { ColumnValues, OwnedRow, Table } from '../catalogue/table.js'
import type { Queryable } from '../database/index.js'
import type { Template, TemplateChange } from './schema.js'

/** A row as the drivers give it. */
export type TemplateRow = OwnedRow &
  Omit<Template, keyof OwnedRow | 'price'> & { readonly price_cents: number | null; readonly currency: string | null }

export const templateTable: Table = {
  name: 'templates',
  columns: {
    name: 'text',
    title: 'text',
    description: 'text',
    platform: 'text',
    product_type: 'text',
    tags: 'text[]',
    price_cents: 'integer',
    currency: 'text',
    is_active: 'boolean',
  },
  filters: {
    platform: { column: 'platform', type: 'text', test: 'equals' },
    is_active: { column: 'is_active', type: 'boolean', test: 'equals' },
    product_type: { column: 'product_type', type: 'text', test: 'equals' },
  },
}

export function toColumns({ price, ...others }: TemplateChange): ColumnValues {
  if (price === undefined) return others
  return { ...others, price_cents: price?.cents ?? null, currency: price?.currency ?? null }
}

export function toItem({ price_cents: cents, currency, ...row }: TemplateRow): Template {
  return { ...row, price: cents === null || currency === null ? null : { cents, currency }, ...commonFields(row) }
}

/** Whose template it is; `undefined` when there is none. */
export async function ownerOfTemplate(database: Queryable, id: string): Promise<string | undefined> {
  const [row] = await database.query<{ user_id: string }>({
    name: 'templates.owner',
    text: 'select user_id from templates where id = $1::uuid',
    values: [id],
  })
  return row?.user_id
}
