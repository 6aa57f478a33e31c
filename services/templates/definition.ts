import { Type } from '@sinclair/typebox'
import { TemplateInUseError } from '../errors.js'
import { columnsOf } from '../resource/sql/columns.js'
import type { ResourceDefinition } from '../resource/definition.js'
import { templateLists, templateSchemas } from './schema.js'

/** Deleting one takes it out of the designs that name it, and is refused while mockups are made from it. */
export const templates = {
  name: 'templates',
  kind: 'template',
  schemas: templateSchemas,
  columns: {
    ...columnsOf(Type.Omit(templateSchemas.creation, ['price'])),
    price_cents: 'bigint',
    currency: 'text',
  },
  filters: { platform: 'platform', is_active: 'is_active', product_type: 'product_type', tag: 'tags' },
  ...templateLists,
  naturalKey: ['platform', 'name'],
  example: {
    name: 'mug-11oz',
    title: 'Mug, 11 oz',
    description: 'White, dishwasher-safe',
    product_type: 'mug',
    tags: ['mug'],
    price: { cents: 1999, currency: 'EUR' },
  },
  lifetimes: { document: 1_800, list: 600 },
  inUse: (mockupIds) => new TemplateInUseError(mockupIds.join(', ')),
  toColumns({ price, ...others }) {
    if (price === undefined) return others
    return { ...others, price_cents: price?.cents ?? null, currency: price?.currency ?? null }
  },
  toItem({ price_cents: cents, currency, ...row }) {
    return { ...row, price: cents === null || currency === null ? null : { cents: Number(cents), currency } }
  },
} as const satisfies ResourceDefinition<typeof templateSchemas>
