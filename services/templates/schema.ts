import { Type, type Static } from '@sinclair/typebox'
import { AllOf, Description, Nullable, Platform, schemasOf, strict, Tags, Text } from '../resource/schema.js'

/**
 * `cents` are whole minor units of the currency, so that no price is ever rounded: 1999 is 19.99 EUR, 1999 JPY, 1.999 KWD. The
 * service never converts them. plugins/http/validation.ts has the format.
 */
const Price = Type.Object(
  {
    cents: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    currency: Type.String({ format: 'currency' }),
  },
  strict,
)

export const templateLists = {
  search: ['name', 'title', 'description', 'tags'],
  sorts: { name: 'name', price: 'price_cents' },
} as const

export const templateSchemas = schemasOf(
  {
    name: Text(255),
    title: Text(500),
    description: Type.Optional(Nullable(Description)),
    platform: Platform,
    product_type: Text(100),
    tags: Type.Optional(Tags),
    price: Type.Optional(Nullable(Price)),
    is_active: Type.Optional(Type.Boolean()),
  },
  { platform: Platform, is_active: Type.Boolean(), product_type: Text(100), tag: AllOf(Text(100)) },
  templateLists,
)

export type NewTemplate = Static<typeof templateSchemas.creation>
