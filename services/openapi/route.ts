import type { ResourceDefinition } from '../resource/definition.js'

/** Whose token a route takes; `undefined` where it takes none. `inspector`: an administrator, also one who may only look. */
export type Access = 'user' | 'admin' | 'inspector' | 'scraper' | 'admin or user'

/** JSON Schema, as far as it is looked into here. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
  readonly type?: string | readonly string[] | undefined
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined
  readonly required?: readonly string[] | undefined
  readonly items?: JsonSchema | undefined
  readonly description?: string | undefined
}

/** What a route's schema may say beside what it takes and answers. Most is derived: see {@link operationOf}. */
export interface Described {
  /** A few words; resources' routes have theirs from services/openapi/operation.ts. */
  readonly summary?: string
  readonly description?: string
  /** What a generated client calls it. */
  readonly operationId?: string
  readonly tags?: readonly string[]
  /** Codes of services/errors.ts beside those that services/openapi/errors.ts derives. */
  readonly errors?: readonly string[]
  /** What an answer is that is no JSON. */
  readonly produces?: string
  /** Who asks for `text/event-stream` gets that instead. */
  readonly streams?: boolean
  /** Answers 304 to who has it, and 412 to who wants another one: resources' reads do without saying so. */
  readonly isConditional?: boolean
  /** Answers with the version of what it wrote: resources' writes do without saying so. */
  readonly isWrite?: boolean
  /** It is part of a page, and nothing to call. */
  readonly hide?: boolean
}

/** A route as the API reference sees it. */
export interface Route {
  readonly method: string
  /** As Fastify has it: `/api/designs/:id`. */
  readonly url: string
  readonly access: Access | undefined
  readonly schema: Described & {
    readonly params?: JsonSchema
    readonly querystring?: JsonSchema
    readonly body?: JsonSchema
    readonly response?: Readonly<Record<string, JsonSchema>>
  }
  /** Whose rows it is about, and what of the path follows the resource's own: `/:id`. */
  readonly of?: { readonly resource: ResourceDefinition; readonly rest: string } | undefined
}

/** What a schema of a route is, wherever it has one. */
export function isJsonSchema(schema: unknown): schema is JsonSchema {
  return typeof schema === 'object' && schema !== null
}

/** Whether ETags decide what a read is answered with. */
export function isConditional({ method, of, schema }: Pick<Route, 'method' | 'of' | 'schema'>): boolean {
  if (method !== 'GET') return false
  return schema.isConditional ?? (of !== undefined && schema.produces === undefined)
}

/** Whether the path names one row. */
export function namesRow({ url }: Pick<Route, 'url'>): boolean {
  return /\/(:\w+|me)$/.test(url)
}
