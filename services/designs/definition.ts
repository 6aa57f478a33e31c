import { columnsOf } from '../resource/sql/columns.js'
import type { ResourceDefinition } from '../resource/definition.js'
import { designLists, designSchemas } from './schema.js'

/** They name templates of the same user. */
export const designs = {
  name: 'designs',
  kind: 'design',
  schemas: designSchemas,
  columns: columnsOf(designSchemas.creation),
  filters: { platform: 'platform', is_active: 'is_active', template_id: 'template_ids', tag: 'tags' },
  ...designLists,
  references: { template_ids: { to: 'templates', onDelete: 'forget' } },
  naturalKey: ['platform', 'file_path', 'filename'],
  example: {
    filename: 'fox.png',
    file_path: '/designs/fox.png',
    description: 'A red fox',
    tags: ['fox'],
    tag: 'fox',
  },
  lifetimes: { document: 600, list: 300 },
} as const satisfies ResourceDefinition<typeof designSchemas>
