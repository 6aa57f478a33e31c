import AjvCompiler from '@fastify/ajv-compiler'
import type { FastifySchema, FastifySchemaCompiler } from 'fastify'
import fp from 'fastify-plugin'
import { isCurrency } from '../services/money.js'
import { MOST_METADATA_BYTES } from '../services/resource/schema.js'

/** ajv-formats also lets `urn:uuid:` through, which is another spelling of the same id and no key of ours. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Deeper than that, JSON is somebody's attack: parsers and serializers recurse. */
const DEEPEST_JSON = 32

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
      onCreate(ajv) {
        ajv.addFormat('uuid', UUID).addFormat('currency', isCurrency)
        ajv.addKeyword({
          keyword: 'maxJsonBytes',
          type: 'object',
          validate: isSmallJson,
          errors: false,
          error: { message: `must be at most ${MOST_METADATA_BYTES} bytes of JSON, in at most ${DEEPEST_JSON} levels` },
        })
      },
    },
  )
}

/** The keyword `maxJsonBytes`: how large the JSON text of an object may be. */
function isSmallJson(mostBytes: number, value: object): boolean {
  return isShallow(value, DEEPEST_JSON) && Buffer.byteLength(JSON.stringify(value)) <= mostBytes
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1))
}
