import AjvCompiler from '@fastify/ajv-compiler'
import type { FastifySchema, FastifySchemaCompiler } from 'fastify'
import fp from 'fastify-plugin'
import { isCurrency } from '../services/money.js'

/** ajv-formats also lets `urn:uuid:` through, which is another spelling of the same id and no key of ours. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const SETTINGS = { removeAdditional: false, useDefaults: true, allErrors: false } as const

/**
 * Bodies are taken as they are; what comes in a URL is text, so its numbers and booleans are read from it. A repeated
 * query key is an array and fits no schema.
 */
export default fp(
  async (fastify) => {
    // Schemas are checked where they are written and tested: that takes a twelfth of a start.
    const validateSchema = !fastify.config.isProduction
    const asTheyAre = compiler({ coerceTypes: false, validateSchema })
    const fromText = compiler({ coerceTypes: true, validateSchema })
    fastify.setValidatorCompiler<FastifySchema>((route) =>
      route.httpPart === 'body' ? asTheyAre(route) : fromText(route),
    )
  },
  { name: 'validation', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)

function compiler(options: {
  readonly coerceTypes: boolean
  readonly validateSchema: boolean
}): FastifySchemaCompiler<FastifySchema> {
  const build = AjvCompiler()
  return build(
    {},
    {
      customOptions: { ...SETTINGS, ...options },
      onCreate: (ajv) => void ajv.addFormat('uuid', UUID).addFormat('currency', isCurrency),
    },
  )
}
