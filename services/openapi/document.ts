import type { ResourceDefinition } from '../resource/definition.js'
import { STATUS_TEXTS } from '../status-texts.js'
import { answerHeaders } from './answer-headers.js'
import { components, errorBody, introduction, security } from './components.js'
import { errorsOf, knownErrors, takesIdempotencyKey } from './errors.js'
import { type Examples, exampleOf } from './example.js'
import { operationOf, pascal } from './operation.js'
import { isConditional, type JsonSchema, namesRow, type Route } from './route.js'

const JSON_TYPE = 'application/json'
const EVENT_STREAM = 'text/event-stream'

/** Of the schemas that have a name, in `#/components/schemas`. */
type Names = ReadonlyMap<unknown, string>

interface Context {
  readonly resources: readonly ResourceDefinition[]
  readonly names: Names
}

/** The routes as one OpenAPI 3.1 document. Schemas of routes are JSON Schema, which is what 3.1 has, so they stand there as they are. */
export function openapiDocument(routes: readonly Route[], resources: readonly ResourceDefinition[]) {
  const named = namedSchemas(resources)
  const context = { resources, names: new Map([...named].map(([name, schema]) => [schema, name])) }
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    if (route.schema.hide === true) continue
    const path = (paths[pathOf(route.url)] ??= {})
    path[route.method.toLowerCase()] = operation(route, context)
  }
  const schemas = [...named].map(([name, schema]) => [name, withNames(schema, context.names, schema)])
  return {
    openapi: '3.1.0',
    ...introduction,
    servers: [{ url: '/', description: 'The service that this page comes from' }],
    paths,
    components: { ...components, schemas: { ...components.schemas, ...Object.fromEntries(schemas) } },
  }
}

function namedSchemas(resources: readonly ResourceDefinition[]): ReadonlyMap<string, JsonSchema> {
  return new Map<string, JsonSchema>(
    resources.flatMap(({ kind, schemas }) => [
      [pascal(kind), schemas.item],
      [`New${pascal(kind)}`, schemas.creation],
      [`${pascal(kind)}Change`, schemas.change],
      [`${pascal(kind)}Replacement`, schemas.replacement],
    ]),
  )
}

/** A copy in which what has a name is referred to, other than `itself`. */
function withNames(schema: unknown, names: Names, itself?: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const name = schema === itself ? undefined : names.get(schema)
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` }
  if (Array.isArray(schema)) return schema.map((inner) => withNames(inner, names))
  return Object.fromEntries(Object.entries(schema).map(([key, inner]) => [key, withNames(inner, names)]))
}

/** `/designs/:id` is `/designs/{id}`; a list has no slash at its end. */
function pathOf(url: string): string {
  return url.replaceAll(/:(\w+)/g, '{$1}').replace(/(.)\/$/, '$1')
}

function operation(route: Route, context: Context) {
  const { schema, access, of } = route
  const { operationId, summary, tags } = operationOf(route)
  const examples: Examples = of?.resource.example ?? {}
  return {
    operationId,
    summary,
    ...(schema.description !== undefined && { description: schema.description }),
    tags,
    security: access === undefined ? [] : security[access],
    parameters: [
      ...parametersOf('path', schema.params, examples),
      ...parametersOf('query', schema.querystring, examples),
      ...headersOf(route).map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ],
    ...(schema.body !== undefined && {
      requestBody: {
        required: true,
        content: {
          [JSON_TYPE]: { schema: withNames(schema.body, context.names), example: bodyExample(route, examples) },
        },
      },
    }),
    responses: { ...answersOf(route, context, examples), ...refusalsOf(route, context) },
  }
}

/** A change says one field, and of a bulk each operation has a row of its resource. */
function bodyExample({ method, schema, of }: Route, examples: Examples): unknown {
  if (of?.rest === '/bulk') {
    const row = exampleOf(of.resource.schemas.creation, 'row', examples)
    return {
      operations: [
        { op: 'create', row },
        { op: 'delete', external_id: exampleOf({}, 'external_id') },
      ],
    }
  }
  const whole = exampleOf(schema.body ?? {}, 'body', examples)
  if (method !== 'PATCH' || typeof whole !== 'object' || whole === null) return whole
  return Object.fromEntries(Object.entries(whole).slice(0, 1))
}

function parametersOf(place: 'path' | 'query', schema: JsonSchema | undefined, examples: Examples) {
  return Object.entries(schema?.properties ?? {}).map(([name, { description, ...field }]) => {
    const example = exampleOf(field, name, examples)
    return {
      name,
      in: place,
      required: place === 'path' || schema?.required?.includes(name) === true,
      ...(description !== undefined && { description }),
      schema: field,
      ...(example !== undefined && { example }),
    }
  })
}

/** Names in `#/components/parameters`. */
function headersOf(route: Route): string[] {
  const { method, url, access, of, schema } = route
  if (access === undefined || schema.produces !== undefined) return isConditional(route) ? ['IfNoneMatch'] : []
  const isRead = method === 'GET'
  const isOfRow = namesRow({ url }) && (of !== undefined || !url.includes('token_id'))
  return [
    'MinVersion',
    ...(isConditional(route) ? ['IfNoneMatch'] : []),
    ...(schema.streams === true ? ['LastEventId'] : []),
    ...(!isRead && isOfRow ? ['IfMatch'] : []),
    ...(takesIdempotencyKey({ method, of }) ? ['IdempotencyKey'] : []),
  ]
}

function answersOf(route: Route, { names }: Context, examples: Examples) {
  const { method, schema } = route
  const known = isConditional(route)
    ? { 304: { description: 'You have it already', ...answerHeaders(route, 304) } }
    : {}
  if (schema.produces !== undefined) {
    return {
      200: {
        description: 'Done',
        ...answerHeaders(route, 200),
        content: { [schema.produces]: { schema: { type: schema.produces === JSON_TYPE ? 'object' : 'string' } } },
      },
      ...known,
    }
  }
  const answers: [status: string, answer: object][] = Object.entries(schema.response ?? {}).map(([status, answer]) => {
    const content = {
      [JSON_TYPE]: { schema: withNames(answer, names), example: exampleOf(answer, 'answer', examples) },
      ...(schema.streams === true && { [EVENT_STREAM]: { schema: { type: 'string' } } }),
    }
    return [status, { description: wordsOf(Number(status)), ...answerHeaders(route, Number(status)), content }]
  })
  if (answers.length === 0)
    answers.push(
      method === 'DELETE'
        ? ['204', { description: 'Deleted', ...answerHeaders(route, 204) }]
        : ['200', { description: 'Done', ...answerHeaders(route, 200) }],
    )
  return { ...Object.fromEntries(answers), ...known }
}

/** By status, each with the codes that come with it. A status that the route's schema has itself is that. */
function refusalsOf(route: Route, { resources }: Context) {
  const byStatus = new Map<number, string[]>()
  for (const code of errorsOf(route, resources)) {
    const status = knownErrors.get(code)?.statusCode
    if (status === undefined) throw new Error(`${route.method} ${route.url}: services/errors.ts has no ${code}`)
    if (route.schema.response?.[status] === undefined) byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      { ...errorBody(wordsOf(status), codes, beside(codes, route)), ...answerHeaders(route, status) },
    ]),
  )
}

/** A bulk that is refused says of each operation why, as one that is not does. */
function beside(codes: readonly string[], { schema }: Route): object {
  return codes.includes('BULK_REFUSED') ? { results: schema.response?.[200]?.properties?.['results'] } : {}
}

function wordsOf(status: number): string {
  return STATUS_TEXTS[status] ?? String(status)
}
