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

export const listUsers = {
  summary: 'List users',
  operationId: 'listUsers',
  isConditional: true,
  querystring: PageQuery,
  response: { 200: Page(User) },
}
export const createUser = {
  summary: 'Create a user',
  operationId: 'createUser',
  isWrite: true,
  errors: ['EMAIL_TAKEN'],
  body: NewUser,
  response: { 201: User },
}
export const readUser = {
  summary: 'Read a user',
  operationId: 'getUser',
  isConditional: true,
  params: userParams,
  response: { 200: User },
}
export const changeUser = {
  summary: 'Change fields of a user',
  operationId: 'changeUser',
  isWrite: true,
  errors: ['EMAIL_TAKEN', 'PRECONDITION_FAILED'],
  params: userParams,
  body: UserChange,
  response: { 200: User },
}
export const deleteUser = {
  summary: 'Delete a user with all that is theirs',
  operationId: 'deleteUser',
  isWrite: true,
  errors: ['PRECONDITION_FAILED'],
  params: userParams,
}
export const readMe = {
  summary: 'Read yourself',
  operationId: 'getMe',
  isConditional: true,
  response: { 200: User },
}
export const changeMe = {
  summary: 'Change yourself',
  operationId: 'changeMe',
  isWrite: true,
  errors: ['EMAIL_TAKEN', 'PRECONDITION_FAILED'],
  body: OwnChange,
  response: { 200: User },
}
const tags = ['tokens']
export const listTokens = {
  tags,
  summary: 'List the tokens of a user',
  operationId: 'listTokens',
  isConditional: true,
  params: userParams,
  querystring: PageQuery,
  response: { 200: Page(Token) },
}
export const createToken = {
  tags,
  summary: 'Make a token, which is shown this once',
  operationId: 'createToken',
  isWrite: true,
  params: userParams,
  body: NewToken,
  response: { 201: IssuedToken },
}
export const deleteToken = {
  tags,
  summary: 'Revoke a token, and those made with it',
  operationId: 'deleteToken',
  isWrite: true,
  params: tokenParams,
}
