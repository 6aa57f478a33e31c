import AjvCompiler from '@fastify/ajv-compiler'
import type { FastifySchema, FastifySchemaCompiler } from 'fastify'
import fp from 'fastify-plugin'
import { isCurrency } from '../../services/money.js'
import { MOST_METADATA_BYTES } from '../../services/resource/schema.js'
import { composeTexts, LONGEST_NAME } from '../../services/texts.js'
import { validationMessage } from '../../services/validation-message.js'

/** ajv-formats also lets `urn:uuid:` through, which is another spelling of the same id and no key of ours. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Deeper than that, JSON is somebody's attack: parsers and serializers recurse. */
const DEEPEST_JSON = 16

/** `verbose` hands the schema on with a finding: its description names the rule. */
const SETTINGS = { removeAdditional: false, useDefaults: true, allErrors: false, verbose: true } as const

type Validate = ReturnType<FastifySchemaCompiler<FastifySchema>>
type Finding = NonNullable<Validate['errors']>[number]

/** What jQuery adds to each URL so that no cache answers. */
const CACHE_BUSTER = '_'

/** Python's spelling, which its HTTP clients put into URLs. */
const FLAGS: Readonly<Record<string, string>> = { True: 'true', False: 'false' }

/** Written out without an exponent, it is at most 24 characters long. */
function isCoordinate(value: number): boolean {
  const size = Math.abs(value)
  return size === 0 || (size >= 0.000001 && size <= 1_000_000)
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What is wrong with a part of the body, as its own schema has it: `row: filename is missing`. `undefined`: nothing. */
    faultIn(name: string, schema: object, value: unknown): string | undefined
  }
}

/**
 * Bodies are taken as they are; what comes in a URL is text, so its numbers and booleans are read from it. Texts of both are composed
 * (services/texts.ts) before they are judged, so that nothing passes that is stored otherwise than it is compared.
 */
export default fp(
  async (fastify) => {
    // Schemas are checked where they are written and tested: that takes a twelfth of a start.
    const validateSchema = !fastify.config.isProduction
    const asTheyAre = compiler({ coerceTypes: false, validateSchema })
    const fromText = compiler({ coerceTypes: true, validateSchema })
    fastify.setValidatorCompiler<FastifySchema>((route) => {
      const validate = onFirstUse(() => (route.httpPart === 'body' ? asTheyAre : fromText)(route))
      if (route.httpPart === 'body') return composed(validate)
      if (route.httpPart === 'querystring') return queryOf(route.schema, validate)
      return hasTexts(route.schema) ? composed(validate) : validate
    })
    fastify.decorateRequest('faultIn', function faultIn(name, schema, value) {
      const validate = this.compileValidationSchema(schema, 'body')
      return validate(value) ? undefined : validationMessage(name, validate.errors ?? [])
    })
  },
  { name: 'validation', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)

/**
 * Judges bodies as the routes do, but finds all that is wrong with one.
 * @returns what it found; texts of the body are composed by then
 */
export function thoroughValidator(schema: object): (body: unknown) => readonly Finding[] {
  const build = compiler({ coerceTypes: false, validateSchema: false, allErrors: true })
  const validate = build({ schema, method: 'POST', url: '/', httpPart: 'body' })
  return (body) => {
    const fault = composeTexts(body)
    const ofText = fault === undefined ? [] : [finding(fault.path, 'text', fault.message)]
    return validate(body) === true ? ofText : [...ofText, ...(validate.errors ?? [])]
  }
}

/** To compile all schemas takes a good part of a start. The first request to a route waits some milliseconds for its own. */
function onFirstUse(compile: () => Validate): Validate {
  let compiled: Validate | undefined
  const judge: Validate = (value: unknown) => {
    compiled ??= compile()
    const judgement = compiled(value)
    judge.errors = compiled.errors ?? null
    return judgement
  }
  return judge
}

function composed(validate: Validate): Validate {
  const judge: Validate = (value: unknown) => {
    const fault = composeTexts(value)
    if (fault === undefined) {
      const judgement = validate(value)
      judge.errors = validate.errors ?? null
      return judgement
    }
    judge.errors = [finding(fault.path, 'text', fault.message)]
    return false
  }
  return judge
}

function queryOf(schema: FastifySchema & { readonly properties?: object }, validate: Validate): Validate {
  const { properties = {} } = schema
  return Object.keys(properties).length === 0 && isStrict(schema)
    ? noQuery()
    : query(composed(validate), fieldsOf(schema))
}

function isStrict(schema: object): boolean {
  return 'additionalProperties' in schema && schema.additionalProperties === false
}

/** Where no field is known. It is asked for every hit, and nearly none has a query: it costs a loop over nothing, and no schema. */
function noQuery(): Validate {
  const judge: Validate = (fields: object) => {
    for (const name in fields) {
      if (name === CACHE_BUSTER) continue
      judge.errors = [{ ...finding([], 'additionalProperties', ''), params: { additionalProperty: name } }]
      return false
    }
    return true
  }
  return judge
}

/** A key that comes more than once is an array; where the schema wants none it would fit without saying why not. */
function query(validate: Validate, { flags, arrays, numbers }: FieldTypes): Validate {
  const judge: Validate = (fields: Record<string, string | string[]>) => {
    delete fields[CACHE_BUSTER]
    for (const name of arrays) {
      const given = fields[name]
      if (typeof given === 'string') fields[name] = [given]
    }
    const isRepeated = (name: string): boolean =>
      Array.isArray(fields[name]) && !name.includes('[') && !arrays.includes(name)
    const repeated = Object.keys(fields).find(isRepeated)
    if (repeated !== undefined) {
      judge.errors = [
        finding(
          [repeated],
          'repeated',
          repeated === 'ids' ? 'must be given once, separated by commas: ids=a,b' : 'must be given once',
        ),
      ]
      return false
    }
    // 1e999 is read as infinity, which Ajv takes for an integer within all bounds.
    const endless = numbers.find((name) => Math.abs(Number(fields[name])) === Infinity)
    if (endless !== undefined) {
      judge.errors = [{ ...finding([endless], 'type', ''), params: { type: 'integer' } }]
      return false
    }
    for (const name of flags) {
      const flag = FLAGS[String(fields[name])]
      if (flag !== undefined) fields[name] = flag
    }
    const judgement = validate(fields)
    judge.errors = validate.errors ?? null
    return judgement
  }
  return judge
}

function finding(path: readonly string[], keyword: string, message: string): Finding {
  return {
    instancePath: path.map((name) => `/${name.slice(0, LONGEST_NAME)}`).join(''),
    keyword,
    message,
    schemaPath: '',
    params: {},
  }
}

/** Ids need no composing: a path that holds nothing else is looked at once less. */
function hasTexts({ properties = {} }: FastifySchema & { readonly properties?: object }): boolean {
  return Object.values(properties).some(({ format }) => format !== 'uuid')
}

/** The fields of a query that are booleans, those that may come more than once, and those that are whole numbers. */
interface FieldTypes {
  readonly flags: readonly string[]
  readonly arrays: readonly string[]
  readonly numbers: readonly string[]
}

function fieldsOf({ properties = {} }: FastifySchema & { readonly properties?: object }): FieldTypes {
  const ofType = (wanted: string): string[] =>
    Object.entries(properties).flatMap(([name, { type }]) => (type === wanted ? [name] : []))
  return { flags: ofType('boolean'), arrays: ofType('array'), numbers: ofType('integer') }
}

function compiler(options: {
  readonly coerceTypes: boolean
  readonly validateSchema: boolean
  readonly allErrors?: boolean
}): FastifySchemaCompiler<FastifySchema> {
  const build = AjvCompiler()
  return build(
    {},
    {
      customOptions: { ...SETTINGS, ...options },
      onCreate(ajv) {
        ajv.addFormat('uuid', UUID).addFormat('currency', isCurrency)
        ajv.addFormat('coordinate', { type: 'number', validate: isCoordinate })
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
