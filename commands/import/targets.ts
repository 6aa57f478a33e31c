import type { Static, TSchema } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { BulkOutcome } from '../../services/catalogue/missing-rows.js'
import { NewDesign } from '../../services/designs/schema.js'
import { NewTemplate } from '../../services/templates/schema.js'
import { validationMessage } from '../../services/validation-message.js'

/** What can be imported. */
export const kinds = ['templates', 'designs'] as const
export type Kind = (typeof kinds)[number]

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

/** The targets of one user, in the order to write them: designs name templates. */
export function openTargets(app: FastifyInstance, userId: string): Readonly<Record<Kind, Target>> {
  return {
    templates: target(app, 'template', NewTemplate, (bodies) => app.templates.createMissing(userId, bodies)),
    designs: target(app, 'design', NewDesign, (bodies) => app.designs.createMissing(userId, bodies)),
  }
}

/** Which kind a line is, by its own fields; `undefined` when they don't tell. */
export function kindOf(value: unknown): Kind | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if ('filename' in value) return 'designs'
  return 'name' in value && 'title' in value ? 'templates' : undefined
}

function target<Schema extends TSchema>(
  app: FastifyInstance,
  name: string,
  schema: Schema,
  create: (bodies: readonly Static<Schema>[]) => Promise<readonly BulkOutcome[]>,
): Target {
  // The compiler of the routes: what the API refuses is refused here, in the same words.
  const validate = app.validatorCompiler?.({ schema, method: 'POST', url: '/', httpPart: 'body' })
  if (validate === undefined) throw new Error('plugins/validation.ts sets a validator compiler')
  const isValid = (value: unknown): value is Static<Schema> => validate(value) === true
  let added: { readonly line: number; readonly body: Static<Schema> }[] = []
  return {
    add(line, value) {
      if (!isValid(value)) return validationMessage(name, validate.errors ?? [])
      added.push({ line, body: value })
      return undefined
    },
    async write() {
      const writing = added
      added = []
      if (writing.length === 0) return []
      const outcomes = await create(writing.map(({ body }) => body))
      return outcomes.map((outcome, index) => ({ line: writing[index]?.line ?? 0, outcome }))
    },
  }
}
