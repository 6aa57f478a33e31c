import { commonFields } from '../catalogue/common-fields.js'
import type { ColumnValues, OwnedRow, Table } from '../catalogue/table.js'
import type { Design, DesignChange } from './schema.js'

/** A row as the drivers give it. */
export type DesignRow = OwnedRow & Omit<Design, keyof OwnedRow>

export const designTable: Table = {
  name: 'designs',
  columns: {
    filename: 'text',
    file_path: 'text',
    description: 'text',
    tags: 'text[]',
    platform: 'text',
    template_ids: 'uuid[]',
    is_active: 'boolean',
    is_digital: 'boolean',
  },
  filters: {
    platform: { column: 'platform', type: 'text', test: 'equals' },
    is_active: { column: 'is_active', type: 'boolean', test: 'equals' },
    template_id: { column: 'template_ids', type: 'uuid', test: 'contains' },
    tag: { column: 'tags', type: 'text', test: 'contains' },
  },
}

/** Each template once and in lower case, as the database compares them. */
export function toColumns({ template_ids: templateIds, ...others }: DesignChange): ColumnValues {
  if (templateIds === undefined) return others
  return { ...others, template_ids: [...new Set(templateIds.map((id) => id.toLowerCase()))] }
}

export function toItem(row: DesignRow): Design {
  return { ...row, ...commonFields(row) }
}
