import { Type, type Static } from '@sinclair/typebox'
import { AllOf, Description, FilePath, Nullable, Platform, schemasOf, Tags, Text, Uuid } from '../resource/schema.js'

export const designLists = { search: ['filename', 'description', 'tags'], sorts: { name: 'filename' } } as const

export const designSchemas = schemasOf(
  {
    filename: Text(255),
    file_path: FilePath,
    description: Type.Optional(Nullable(Description)),
    tags: Type.Optional(Tags),
    platform: Platform,
    template_ids: Type.Optional(Type.Array(Uuid, { maxItems: 100 })),
    is_active: Type.Optional(Type.Boolean()),
    is_digital: Type.Optional(Type.Boolean()),
  },
  { platform: Platform, is_active: Type.Boolean(), template_id: Uuid, tag: AllOf(Text(100)) },
  designLists,
)

export type NewDesign = Static<typeof designSchemas.creation>
