import type { ColumnValues } from '../sql/columns.js'
import type { RowKey } from '../sql/rows.js'

/** One of many changes that a caller asks for at once. */
export type Operation =
  | { readonly op: 'create'; readonly columns: ColumnValues }
  | Conditional<{ readonly op: 'update'; readonly key: RowKey; readonly columns: ColumnValues }>
  /** The row is made, or replaced whole. */
  | Conditional<{ readonly op: 'upsert'; readonly externalId: string; readonly columns: ColumnValues }>
  | Conditional<{ readonly op: 'delete'; readonly key: RowKey }>

type Conditional<Kind> = Kind & { readonly demands?: Demands | undefined }

/** What the row has to be for the operation to be done. */
export interface Demands {
  readonly ifMatch?: string | undefined
  /** Fields that only the service writes, as the caller read them. */
  readonly repeated: object
}

/** What became of one operation; an Error says why it was refused. */
export type Outcome = Done | Error

export interface Done {
  readonly status: 200 | 201 | 204
  readonly id: string
  readonly external_id: string | null
  /** Of the row as it is now; `undefined` when it is deleted. */
  readonly version?: number
  /** False when the row was so already. */
  readonly isChanged: boolean
}

/**
 * Operations of one kind whose rows are all different: their order makes no difference, but for the external_ids that updates by id hand
 * on. What a row is called before, only the database knows: at-once.ts looks.
 */
export type Run = readonly { readonly index: number; readonly operation: Operation }[]

/** Neighbours that can be done in one statement, in the order in which they came. */
export function runsOf(operations: readonly (Operation | Error)[]): Run[] {
  const runs: Run[] = []
  let run: { readonly index: number; readonly operation: Operation }[] = []
  let kind = ''
  let names = new Set<string>()
  for (const [index, operation] of operations.entries()) {
    if (operation instanceof Error) continue
    const [nextKind, nextNames] = [kindOf(operation, index), namesOf(operation)]
    if (kind !== nextKind || nextNames.some((name) => names.has(name))) {
      run = []
      runs.push(run)
      kind = nextKind
      names = new Set()
    }
    run.push({ index, operation })
    for (const name of nextNames) names.add(name)
  }
  return runs
}

/** Operations of the same kind may be done in one statement. Those under a condition stand alone. */
function kindOf(operation: Operation, index: number): string {
  if (operation.op === 'create') return 'create'
  if (operation.demands !== undefined) return `alone ${index}`
  if (operation.op === 'upsert') return 'upsert'
  const key = 'id' in operation.key ? 'id' : 'external_id'
  return operation.op === 'delete' ? `delete ${key}` : `update ${key} ${Object.keys(operation.columns).sort().join()}`
}

/** Whatever a row is known by before and after the operation. */
function namesOf(operation: Operation): string[] {
  const names: string[] = []
  if ('key' in operation)
    names.push('id' in operation.key ? `id ${operation.key.id}` : `external_id ${operation.key.externalId}`)
  const externalId = 'columns' in operation ? operation.columns['external_id'] : undefined
  if (typeof externalId === 'string') names.push(`external_id ${externalId}`)
  return names
}
