import { columnsOf } from '../resource/sql/columns.js'
import type { ResourceDefinition } from '../resource/definition.js'
import { mockupLists, mockupSchemas } from './schema.js'

/** Each shows a template of the same user, and perhaps a design of theirs on it. */
export const mockups = {
  name: 'mockups',
  kind: 'mockup',
  schemas: mockupSchemas,
  columns: columnsOf(mockupSchemas.creation),
  filters: { template_id: 'template_id', design_id: 'design_id' },
  ...mockupLists,
  references: {
    template_id: { to: 'templates', onDelete: 'refuse' },
    design_id: { to: 'designs', onDelete: 'forget' },
  },
  naturalKey: ['template_id', 'design_id', 'name'],
  example: {
    name: 'Fox on a mug',
    images: [
      {
        filename: 'mug.png',
        file_path: '/mockups/mug.png',
        masks: [
          [
            [120, 80],
            [420, 80],
            [420, 380],
          ],
        ],
      },
    ],
  },
  lifetimes: { document: 600, list: 300 },
} as const satisfies ResourceDefinition<typeof mockupSchemas>
