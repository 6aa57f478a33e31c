import { Type, type Static } from '@sinclair/typebox'
import { Nullable, Platform, schemasOf, strict, Tags, Text } from '../resource/schema.js'

/** Whole cents, so that no price is ever rounded; `currency` is an ISO 4217 code. */
const Price = Type.Object(
  {
    cents: Type.Integer({ minimum: 0, maximum: 2_147_483_647 }),
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  },
  strict,
)

export const templateSchemas = schemasOf(
  {
    name: Text(255),
    title: Text(500),
    description: Type.Optional(Nullable(Text(5000))),
    platform: Platform,
    product_type: Text(100),
    tags: Type.Optional(Tags),
    price: Type.Optional(Nullable(Price)),
    is_active: Type.Optional(Type.Boolean()),
  },
  { platform: Platform, is_active: Type.Boolean(), product_type: Text(100) },
)

export type NewTemplate = Static<typeof templateSchemas.creation>
