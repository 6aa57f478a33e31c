/** JSON Schema, as far as a fuzzer looks into it. */
export interface Schema {
  readonly [keyword: string]: unknown
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly enum?: readonly unknown[]
  readonly format?: string
  readonly maxLength?: number
}

export interface Parameter {
  readonly name: string
  readonly place: 'path' | 'query' | 'header'
  readonly isRequired: boolean
  readonly schema: Schema
  readonly example: unknown
}

/** One method of one path, with what it takes and what it may be refused with. */
export interface Operation {
  readonly method: string
  readonly path: string
  /** `GET /api/designs/{id}` */
  readonly name: string
  /** Of `components.securitySchemes`; empty where none is needed. */
  readonly tokens: readonly string[]
  readonly parameters: readonly Parameter[]
  readonly body: { readonly schema: Schema; readonly example: unknown } | undefined
  /** By status: what the document says of such an answer. */
  readonly answers: ReadonlyMap<number, Documented>
}

export interface Documented {
  /** In lower case. */
  readonly headers: readonly string[]
  /** By media type. */
  readonly bodies: ReadonlyMap<string, Schema>
}

type Json = Readonly<Record<string, any>> // oxlint-disable-line typescript/no-explicit-any -- a document of any shape

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options']

/** All operations of an OpenAPI document: what it does not name, the fuzzer does not know. */
export function operationsOf(document: Json): Operation[] {
  const resolve = (node: Json): Json => {
    const ref = node['$ref']
    if (typeof ref !== 'string') return node
    return resolve(
      ref
        .slice(2)
        .split('/')
        .reduce<Json>((at, key) => at[key], document),
    )
  }
  const whole = (node: unknown): unknown => {
    if (typeof node !== 'object' || node === null) return node
    if (Array.isArray(node)) return node.map(whole)
    return Object.fromEntries(Object.entries(resolve(node)).map(([key, inner]) => [key, whole(inner)]))
  }
  return Object.entries(document['paths'] as Json).flatMap(([path, methods]) =>
    Object.entries(methods as Json)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => {
        const content = operation.requestBody?.content['application/json']
        return {
          method: method.toUpperCase(),
          path,
          name: `${method.toUpperCase()} ${path}`,
          tokens: (operation.security as Json[]).flatMap((one) => Object.keys(one)),
          parameters: (operation.parameters as Json[]).map(resolve).map((parameter) => ({
            name: parameter['name'],
            place: parameter['in'],
            isRequired: parameter['required'] === true,
            schema: whole(parameter['schema']) as Schema,
            example: parameter['example'],
          })),
          body: content && { schema: whole(content.schema) as Schema, example: content.example },
          answers: new Map(
            Object.entries(operation.responses as Json).map(([status, answer]) => [
              Number(status),
              {
                headers: Object.keys(answer.headers ?? {}).map((header) => header.toLowerCase()),
                bodies: new Map(
                  Object.entries((answer.content ?? {}) as Json).map(([type, { schema }]) => [
                    type,
                    whole(schema) as Schema,
                  ]),
                ),
              },
            ]),
          ),
        }
      }),
  )
}

/** What of an operation can be given a value of its own, by a name: `query sort`, `body images[].masks`. */
export function placesOf({ parameters, body }: Operation): string[] {
  return [...parameters.map(({ place, name }) => `${place} ${name}`), ...(body ? fieldsOf(body.schema, 'body ') : [])]
}

function fieldsOf(schema: Schema, at: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => [
    `${at}${name}`,
    ...fieldsOf(inner, `${at}${name}.`),
    ...(inner.items === undefined ? [] : fieldsOf(inner.items, `${at}${name}[].`)),
  ])
}
