import type { FastifyInstance } from 'fastify'
import { addOwnedRowRoutes } from '../owned-rows.js'
import { schemas } from './schemas.js'

/** Under `/api/templates`. */
export default async function templates(fastify: FastifyInstance): Promise<void> {
  addOwnedRowRoutes(fastify, { rows: fastify.templates, kind: 'template', schemas })
}
