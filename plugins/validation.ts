import AjvCompiler from '@fastify/ajv-compiler'
import type { FastifySchema, FastifySchemaCompiler } from 'fastify'
import fp from 'fastify-plugin'

/** ajv-formats also lets `urn:uuid:` through, which is another spelling of the same id and no key of ours. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const SETTINGS = { removeAdditional: false, useDefaults: true, allErrors: false } as const

/**
 * Bodies are taken as they are; what comes in a URL is text, so its numbers and booleans are read from it. A repeated
 * query key is an array and fits no schema.
 */
export default fp(
  async (fastify) => {
    const asTheyAre = compiler(false)
    const fromText = compiler(true)
    fastify.setValidatorCompiler<FastifySchema>((route) =>
      route.httpPart === 'body' ? asTheyAre(route) : fromText(route),
    )
  },
  { name: 'validation' },
)

function compiler(coerceTypes: boolean): FastifySchemaCompiler<FastifySchema> {
  const build = AjvCompiler()
  return build(
    {},
    {
      customOptions: { ...SETTINGS, coerceTypes },
      onCreate: (ajv) => void ajv.addFormat('uuid', UUID),
    },
  )
}
