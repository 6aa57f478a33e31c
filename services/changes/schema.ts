import { Type } from '@sinclair/typebox'
import { Nullable, OneOf, strict, Uuid } from '../resource/schema.js'

/** Where a follower goes on: `now`, which is also what leaving it out means, or a cursor. */
export const ChangesQuery = Type.Object(
  {
    since: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 12_000,
        description: 'now, or next_cursor of the page before',
        examples: ['now'],
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: '100 by default' })),
  },
  strict,
)

export const ChangesAnswer = Type.Object({
  changes: Type.Array(
    Type.Object({
      resource: Type.String(),
      id: Uuid,
      external_id: Type.Optional(Nullable(Type.String())),
      kind: OneOf(['changed', 'deleted']),
      row: Type.Optional(Type.Unknown({ description: 'as GET answers it; of what changed' })),
    }),
  ),
  next_cursor: Type.String(),
  more: Type.Boolean({ description: 'there is more already: ask again at once' }),
})
