import AjvCompiler from '@fastify/ajv-compiler'
import { headerOf, type WireAnswer } from './connection.js'
import type { Documented, Operation, Schema } from './openapi.js'

/** Of the headers that an answer may carry, those that say something of it alone: a client made from the document knows no others. */
const TELLING = ['etag', 'location', 'cache-status', 'roundhouse-version', 'idempotency-replayed']
/** Carried only where there is something to say. */
const SOMETIMES = ['idempotency-replayed']

type Judgement = (body: unknown) => string | undefined

/** Holds answers against the document: a client that was made from it reads them by nothing else. */
export class Documentation {
  readonly #operations: ReadonlyMap<string, Operation>
  readonly #judgements = new Map<Schema, Judgement>()

  constructor(operations: readonly Operation[]) {
    this.#operations = new Map(operations.map((operation) => [operation.name, operation]))
  }

  statusesOf(route: string): readonly number[] | undefined {
    const operation = this.#operations.get(route)
    return operation && [...operation.answers.keys()]
  }

  /**
   * What an answer has otherwise than the document says, or beside it. Nothing is said of a status that it does not have.
   * @param request its first line decides which operation it is: a value that was spoiled may lead to another one
   */
  faults(request: string, answer: WireAnswer): string[] {
    const documented = this.#operationOf(request)?.answers.get(answer.status)
    if (documented === undefined) return []
    return [...headerFaults(documented, answer), ...this.#bodyFaults(documented, answer)].map(
      (fault) => `${fault}, not as /openapi.json has it`,
    )
  }

  /** Of those that fit the one with the most words of its own, as the router takes it. */
  #operationOf(request: string): Operation | undefined {
    const [method = '', target = ''] = request.split(/[ \r]/, 2)
    const [path = ''] = target.split(/[?#]/, 1)
    const given = path.replace(/(.)\/$/, '$1').split('/')
    const fitting = [...this.#operations.values()].filter((operation) => {
      const parts = operation.path.split('/')
      const fits = parts.every((part, at) => (part.startsWith('{') ? given[at] !== '' : part === given[at]))
      return operation.method === method && parts.length === given.length && fits
    })
    return fitting.toSorted((a, b) => parametersIn(a) - parametersIn(b))[0]
  }

  #bodyFaults({ bodies }: Documented, answer: WireAnswer): string[] {
    const [type = ''] = headerOf(answer, 'content-type').split(';')
    if (bodies.size === 0) return answer.text === '' ? [] : ['a body']
    const schema = bodies.get(type)
    if (schema === undefined) return [`a body that is ${type}`]
    if (type !== 'application/json') return []
    const fault = this.#judgementOf(schema)(JSON.parse(answer.text))
    return fault === undefined ? [] : [`a body in which ${fault}`]
  }

  #judgementOf(schema: Schema): Judgement {
    const judgement = this.#judgements.get(schema) ?? judgementBy(schema)
    this.#judgements.set(schema, judgement)
    return judgement
  }
}

function parametersIn({ path }: Operation): number {
  return path.split('{').length
}

function headerFaults({ headers }: Documented, answer: WireAnswer): string[] {
  const missing = headers.filter((name) => !SOMETIMES.includes(name) && headerOf(answer, name) === '')
  const isTold = (name: string): boolean => headers.includes(name) || answer.status >= 400
  const unknown = TELLING.filter((name) => !isTold(name) && headerOf(answer, name) !== '')
  return [...missing.map((name) => `no ${name}`), ...unknown.map((name) => `the header ${name}`)]
}

const compile = AjvCompiler()(
  {},
  {
    customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, strict: false },
    onCreate(ajv) {
      for (const format of ['currency', 'coordinate']) ajv.addFormat(format, true)
    },
  },
)

function judgementBy(schema: Schema): Judgement {
  const validate = compile({ schema: closed(schema), method: 'GET', url: '/', httpPart: 'body' })
  return (body) => {
    if (validate(body) === true) return undefined
    const [first] = validate.errors ?? []
    return `${first?.instancePath} ${first?.message} ${JSON.stringify(first?.params)}`
  }
}

/** A field that the document does not name is lost to who reads by it. */
function closed(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(closed)
  if ('allOf' in schema) return { ...schema, propertyNames: { enum: namesOf(schema) } }
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  const isOpen = !('properties' in inner) || 'additionalProperties' in inner || 'patternProperties' in inner
  return isOpen ? inner : { ...inner, additionalProperties: false }
}

/** Of an error: each part names some of its fields. */
function namesOf({ allOf }: { readonly allOf?: unknown }): readonly string[] {
  return [...new Set((allOf as readonly Schema[]).flatMap(({ properties = {} }) => Object.keys(properties)))]
}
