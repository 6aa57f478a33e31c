import { commonFields } from '../catalogue/common-fields.js'
import type { ColumnValues, OwnedRow, Table } from '../catalogue/table.js'
import type { Mockup, MockupChange } from './schema.js'

/** A row as the drivers give it. */
export type MockupRow = OwnedRow & Omit<Mockup, keyof OwnedRow>

export const mockupTable: Table = {
  name: 'mockups',
  columns: { name: 'text', template_id: 'uuid', design_id: 'uuid', starting_name: 'integer', images: 'jsonb' },
  filters: {
    template_id: { column: 'template_id', type: 'uuid', test: 'equals' },
    design_id: { column: 'design_id', type: 'uuid', test: 'equals' },
  },
}

/** Images as JSON text: an array would reach the driver as an SQL array. */
export function toColumns({
  template_id: templateId,
  design_id: designId,
  images,
  ...others
}: MockupChange): ColumnValues {
  return {
    ...others,
    ...(templateId === undefined ? {} : { template_id: templateId.toLowerCase() }),
    ...(designId === undefined ? {} : { design_id: designId?.toLowerCase() ?? null }),
    ...(images === undefined ? {} : { images: JSON.stringify(images) }),
  }
}

export function toItem(row: MockupRow): Mockup {
  return { ...row, ...commonFields(row) }
}
