import { Type } from '@sinclair/typebox'
import { FilePath, Nullable, schemasOf, strict, Text, Uuid } from '../resource/schema.js'

/** One corner of a mask: [x, y] in pixels of the image. The database would write 1e308 and 1e-300 out in full. */
const Point = Type.Array(Type.Number({ format: 'coordinate' }), { minItems: 2, maxItems: 2 })

/** The outline of one place where the design is shown. */
const Mask = Type.Array(Point, { maxItems: 1000 })

const MockupImage = Type.Object(
  {
    filename: Text(255),
    file_path: FilePath,
    watermark_path: Type.Optional(FilePath),
    image_type: Type.Optional(Text(50)),
    masks: Type.Optional(Type.Array(Mask, { maxItems: 50 })),
  },
  strict,
)

export const mockupLists = { search: ['name'], sorts: { name: 'name' } } as const

export const mockupSchemas = schemasOf(
  {
    name: Text(255),
    template_id: Uuid,
    design_id: Type.Optional(Nullable(Uuid)),
    starting_name: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 })),
    images: Type.Optional(Type.Array(MockupImage, { maxItems: 100 })),
  },
  { template_id: Uuid, design_id: Uuid },
  mockupLists,
)
