import type { FastifyInstance } from 'fastify'
import { addOwnedRowRoutes } from '../owned-rows.js'
import { schemas } from './schemas.js'

/** Under `/api/designs`. */
export default async function designs(fastify: FastifyInstance): Promise<void> {
  addOwnedRowRoutes(fastify, { rows: fastify.designs, kind: 'design', schemas })
}
