import { Type, type Static } from '@sinclair/typebox'
import {
  change,
  Instant,
  Nullable,
  OneOf,
  pageQuery,
  ofTheService,
  strict,
  Text,
  Timestamp,
  timestamps,
  Uuid,
} from '../resource/schema.js'

/** Unique whatever the case of its letters, which are those of ASCII only. */
const Email = Type.String({ format: 'email', maxLength: 254 })

export const NewUser = Type.Object(
  {
    email: Email,
    shop_name: Text(255),
    role: Type.Optional(OneOf(['owner', 'admin', 'member'])),
    subscription_plan: Type.Optional(OneOf(['free', 'basic', 'pro', 'enterprise'])),
    is_active: Type.Optional(Type.Boolean()),
  },
  strict,
)
export type NewUser = Static<typeof NewUser>

const ofTheServiceAlone = Type.Omit(Type.Object(ofTheService), ['user_id']).properties

/** What an administrator may change. */
export const UserChange = Type.Object({ ...Type.Partial(NewUser).properties, ...ofTheServiceAlone }, change)
export type UserChange = Static<typeof UserChange>

const own = Type.Partial(Type.Pick(NewUser, ['email', 'shop_name']))

/** What users may not change of themselves: what they may do and what they pay for. */
const administered = {
  role: Type.Optional(Type.Unknown()),
  subscription_plan: Type.Optional(Type.Unknown()),
  is_active: Type.Optional(Type.Unknown()),
}

/** What users may change of themselves. */
export const OwnChange = Type.Object({ ...own.properties, ...administered, ...ofTheServiceAlone }, change)
export type OwnChange = Static<typeof OwnChange>

/** Of a change: what nobody writes, and what users do not write of themselves. */
export const readOnly = Object.keys(ofTheServiceAlone)
export const readOnlyToOneself = [...readOnly, ...Object.keys(administered)]

export const User = Type.Object({
  id: Uuid,
  version: Type.Integer({ minimum: 1 }),
  ...Type.Required(NewUser).properties,
  ...timestamps,
})
export type User = Static<typeof User>

export const NewToken = Type.Object({ name: Text(255), expires_at: Type.Optional(Nullable(Instant)) }, strict)
export type NewToken = Static<typeof NewToken>

/** A token as it is listed: never its text. `parent_id`: the token that made it, with which it is revoked. */
export const Token = Type.Object({
  id: Uuid,
  user_id: Uuid,
  parent_id: Nullable(Uuid),
  name: Type.String(),
  expires_at: Nullable(Timestamp),
  created_at: Timestamp,
})
export type Token = Static<typeof Token>

/** A token as it is answered once, when it is made. */
export const IssuedToken = Type.Object({ ...Token.properties, token: Type.String() })
export type IssuedToken = Static<typeof IssuedToken>

/** Lists of users and of tokens. */
export const PageQuery = Type.Object(pageQuery, strict)
export type PageQuery = Static<typeof PageQuery>
