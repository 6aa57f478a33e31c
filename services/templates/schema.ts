import { Type, type Static } from '@sinclair/typebox'
import {
  change,
  identity,
  Ids,
  Nullable,
  pageQuery,
  Platform,
  strict,
  Tags,
  Text,
  timestamps,
} from '../catalogue/schema.js'

/** Whole cents, so that no price is ever rounded; `currency` is an ISO 4217 code. */
export const Price = Type.Object(
  {
    cents: Type.Integer({ minimum: 0, maximum: 2_147_483_647 }),
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  },
  strict,
)

export const NewTemplate = Type.Object(
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
  strict,
)
export type NewTemplate = Static<typeof NewTemplate>

export const TemplateChange = Type.Partial(NewTemplate, change)
export type TemplateChange = Static<typeof TemplateChange>

export const Template = Type.Object({ ...identity, ...Type.Required(NewTemplate).properties, ...timestamps })
export type Template = Static<typeof Template>

export const TemplateQuery = Type.Object(
  {
    ...pageQuery,
    ids: Type.Optional(Ids),
    platform: Type.Optional(Platform),
    is_active: Type.Optional(Type.Boolean()),
    product_type: Type.Optional(Text(100)),
  },
  strict,
)
