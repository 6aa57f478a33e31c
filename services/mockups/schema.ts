import { Type, type Static } from '@sinclair/typebox'
import { change, identity, Ids, Nullable, pageQuery, strict, Text, timestamps, Uuid } from '../catalogue/schema.js'

/** One corner of a mask: [x, y] in pixels of the image. */
const Point = Type.Array(Type.Number(), { minItems: 2, maxItems: 2 })

/** The outline of one place where the design is shown. */
const Mask = Type.Array(Point, { maxItems: 1000 })

export const MockupImage = Type.Object(
  {
    filename: Text(255),
    file_path: Text(1024),
    watermark_path: Type.Optional(Text(1024)),
    image_type: Type.Optional(Text(50)),
    masks: Type.Optional(Type.Array(Mask, { maxItems: 50 })),
  },
  strict,
)

export const NewMockup = Type.Object(
  {
    name: Text(255),
    template_id: Uuid,
    design_id: Type.Optional(Nullable(Uuid)),
    starting_name: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 })),
    images: Type.Optional(Type.Array(MockupImage, { maxItems: 100 })),
  },
  strict,
)
export type NewMockup = Static<typeof NewMockup>

export const MockupChange = Type.Partial(NewMockup, change)
export type MockupChange = Static<typeof MockupChange>

export const Mockup = Type.Object({ ...identity, ...Type.Required(NewMockup).properties, ...timestamps })
export type Mockup = Static<typeof Mockup>

export const MockupQuery = Type.Object(
  {
    ...pageQuery,
    ids: Type.Optional(Ids),
    template_id: Type.Optional(Uuid),
    design_id: Type.Optional(Uuid),
  },
  strict,
)
