import type { FastifyInstance } from 'fastify'
import { addOwnedRowRoutes } from '../owned-rows.js'
import { schemas } from './schemas.js'

/** Under `/api/mockups`. */
export default async function mockups(fastify: FastifyInstance): Promise<void> {
  addOwnedRowRoutes(fastify, { rows: fastify.mockups, kind: 'mockup', schemas })
}
