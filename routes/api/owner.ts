import type { FastifyRequest } from 'fastify'
import { UnauthorizedError } from '../../services/errors.js'

/**
 * The id of the user who is asking: whose rows the request is about.
 * @throws UnauthorizedError outside the scope of `requireUser`
 */
export function ownerOf(request: FastifyRequest): string {
  const id = request.user?.id
  if (id === undefined) throw new UnauthorizedError()
  return id
}
