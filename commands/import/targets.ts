import type { FastifyInstance } from 'fastify'
import { resources } from '../../services/domains.js'
import type { BulkOutcome } from '../../services/resource/missing-rows.js'
import type { ResourceService } from '../../services/resource/service.js'
import { validationMessage } from '../../services/validation-message.js'

/** What can be imported: the resources whose rows are told apart by a column, in the order to write them. */
const importable = resources.filter(({ naturalKey }) => naturalKey !== undefined)

/** The name of such a resource: `designs`. */
export type Kind = string

export const kinds: readonly Kind[] = importable.map(({ name }) => name)

/** Rows of one kind on their way into the database. */
export interface Target {
  /** Takes a value for the next write; returns what is wrong with it, by the rules that hold for bodies of the API. */
  add(line: number, value: unknown): string | undefined
  /**
   * Writes what was added, in one transaction, and says what became of each line.
   * @throws NotFoundError when the user is gone, DatabaseUnavailableError
   */
  write(): Promise<readonly { readonly line: number; readonly outcome: BulkOutcome }[]>
}

/** The targets of one user, in the order to write them: what a row names is written before it. */
export function openTargets(app: FastifyInstance, userId: string): ReadonlyMap<Kind, Target> {
  return new Map(
    importable.map(({ name, kind, schemas }) => {
      // The compiler of the routes: what the API refuses is refused here, in the same words.
      const validate = app.validatorCompiler?.({ schema: schemas.creation, method: 'POST', url: '/', httpPart: 'body' })
      const service = app.resources.get(name)
      if (validate === undefined || service === undefined) throw new Error(`The app does not serve ${name}`)
      const faultOf = (value: unknown): string | undefined =>
        validate(value) === true ? undefined : validationMessage(kind, validate.errors ?? [])
      return [name, new ServiceTarget(service, userId, faultOf)]
    }),
  )
}

/**
 * Which kind a line is: the one whose distinguishing field it has. Of several, the one that requires the most fields that
 * the line has.
 */
export function kindOf(value: unknown): Kind | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const fits = importable
    .filter(({ naturalKey = '' }) => naturalKey in value)
    .map(({ name, schemas }) => ({ name, has: (schemas.creation.required ?? []).filter((field) => field in value) }))
    .sort((a, b) => b.has.length - a.has.length)
  return fits[0]?.name
}

/** What a line must have to be recognised: `templates (name), designs (filename)`. */
export const recognised = importable.map(({ name, naturalKey }) => `${name} (${naturalKey})`).join(', ')

class ServiceTarget implements Target {
  readonly #service: ResourceService
  readonly #userId: string
  readonly #faultOf: (value: unknown) => string | undefined
  #added: { readonly line: number; readonly body: Record<string, unknown> }[] = []

  constructor(service: ResourceService, userId: string, faultOf: (value: unknown) => string | undefined) {
    this.#service = service
    this.#userId = userId
    this.#faultOf = faultOf
  }

  add(line: number, value: unknown): string | undefined {
    const fault = this.#faultOf(value)
    if (fault === undefined) this.#added.push({ line, body: { ...Object(value) } })
    return fault
  }

  async write(): Promise<readonly { readonly line: number; readonly outcome: BulkOutcome }[]> {
    const writing = this.#added
    this.#added = []
    if (writing.length === 0) return []
    const outcomes = await this.#service.createMissing(
      this.#userId,
      writing.map(({ body }) => body),
    )
    return outcomes.map((outcome, index) => ({ line: writing[index]?.line ?? 0, outcome }))
  }
}
