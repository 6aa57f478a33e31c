import type { ResourceDefinition } from '../resource/definition.js'
import type { Route } from './route.js'

export interface Operation {
  readonly operationId: string
  /** Empty: nobody has said. */
  readonly summary: string
  readonly tags: readonly string[]
}

type Words = (resource: ResourceDefinition) => readonly [operationId: string, summary: string]

/** What a resource's routes are called, by method and what follows its own path. */
const OF_RESOURCES: Readonly<Record<string, Words>> = {
  'GET /': ({ name }) => [`list${pascal(name)}`, `List ${spaced(name)}`],
  'POST /': ({ kind }) => [`create${pascal(kind)}`, `Create ${one(kind)}`],
  'GET /:id': ({ kind }) => [`get${pascal(kind)}`, `Read ${one(kind)}`],
  'PATCH /:id': ({ kind }) => [`change${pascal(kind)}`, `Change fields of ${one(kind)}`],
  'PUT /:id': ({ kind }) => [`put${pascal(kind)}`, `Replace ${one(kind)}`],
  'DELETE /:id': ({ kind }) => [`delete${pascal(kind)}`, `Delete ${one(kind)}`],
  'GET /by-external-id/:external_id': ({ kind }) => [
    `get${pascal(kind)}ByExternalId`,
    `Read ${one(kind)} by your own key`,
  ],
  'PATCH /by-external-id/:external_id': ({ kind }) => [
    `change${pascal(kind)}ByExternalId`,
    `Change fields of ${one(kind)} by your own key`,
  ],
  'PUT /by-external-id/:external_id': ({ kind }) => [
    `put${pascal(kind)}ByExternalId`,
    `Create or replace ${one(kind)} by your own key`,
  ],
  'DELETE /by-external-id/:external_id': ({ kind }) => [
    `delete${pascal(kind)}ByExternalId`,
    `Delete ${one(kind)} by your own key`,
  ],
  'POST /bulk': ({ name }) => [`bulk${pascal(name)}`, `Write many ${spaced(name)} in one request`],
  'GET /export': ({ name }) => [`export${pascal(name)}`, `Export all of your ${spaced(name)}`],
}

/** What a route is called: by its own schema, by {@link OF_RESOURCES}, or after its method and path. */
export function operationOf(route: Route): Operation {
  const { method, url, schema, of } = route
  const [operationId, summary] = (of && OF_RESOURCES[`${method} ${of.rest}`]?.(of.resource)) ?? [
    byPath(method, url),
    '',
  ]
  return {
    operationId: schema.operationId ?? operationId,
    summary: schema.summary ?? summary,
    tags: schema.tags ?? [of?.resource.name ?? url.split('/').find((part) => !['', 'api'].includes(part)) ?? 'service'],
  }
}

/** `GET /api/cache/health` is getCacheHealth; a parameter is what it is called by: `…ByUserId`. */
function byPath(method: string, url: string): string {
  const parts = url.split('/').filter((part) => !['', 'api'].includes(part))
  return (
    method.toLowerCase() +
    parts.map((part) => (part.startsWith(':') ? `By${pascal(part.slice(1))}` : pascal(part))).join('')
  )
}

/** `order_line`, `user-id` and `openapi.json` are OrderLine, UserId and OpenapiJson. */
export function pascal(name: string): string {
  return name.replaceAll(/(?:^|[^a-zA-Z0-9]+)([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function spaced(name: string): string {
  return name.replaceAll('_', ' ')
}

function one(kind: string): string {
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${spaced(kind)}`
}
