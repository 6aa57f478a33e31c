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
  Uuid,
} from '../catalogue/schema.js'

export const NewDesign = Type.Object(
  {
    filename: Text(255),
    file_path: Text(1024),
    description: Type.Optional(Nullable(Text(5000))),
    tags: Type.Optional(Tags),
    platform: Platform,
    template_ids: Type.Optional(Type.Array(Uuid, { maxItems: 100 })),
    is_active: Type.Optional(Type.Boolean()),
    is_digital: Type.Optional(Type.Boolean()),
  },
  strict,
)
export type NewDesign = Static<typeof NewDesign>

export const DesignChange = Type.Partial(NewDesign, change)
export type DesignChange = Static<typeof DesignChange>

export const Design = Type.Object({ ...identity, ...Type.Required(NewDesign).properties, ...timestamps })
export type Design = Static<typeof Design>

export const DesignQuery = Type.Object(
  {
    ...pageQuery,
    ids: Type.Optional(Ids),
    platform: Type.Optional(Platform),
    is_active: Type.Optional(Type.Boolean()),
    template_id: Type.Optional(Uuid),
    tag: Type.Optional(Text(100)),
  },
  strict,
)
