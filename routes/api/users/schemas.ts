import { Type } from '@sinclair/typebox'
import { Page, strict, Uuid } from '../../../services/resource/schema.js'
import {
  IssuedToken,
  NewToken,
  NewUser,
  OwnChange,
  PageQuery,
  Token,
  User,
  UserChange,
} from '../../../services/users/schema.js'

const userParams = Type.Object({ user_id: Uuid }, strict)
const tokenParams = Type.Object({ user_id: Uuid, token_id: Uuid }, strict)

export const listUsers = { querystring: PageQuery, response: { 200: Page(User) } }
export const createUser = { body: NewUser, response: { 201: User } }
export const readUser = { params: userParams, response: { 200: User } }
export const changeUser = { params: userParams, body: UserChange, response: { 200: User } }
export const deleteUser = { params: userParams }
export const readMe = { response: { 200: User } }
export const changeMe = { body: OwnChange, response: { 200: User } }
export const listTokens = { params: userParams, querystring: PageQuery, response: { 200: Page(Token) } }
export const createToken = { params: userParams, body: NewToken, response: { 201: IssuedToken } }
export const deleteToken = { params: tokenParams }
