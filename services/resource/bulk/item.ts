import { isTagList } from '../../documents/etag.js'
import { InvalidRequestError } from '../../errors.js'
import { splitChange } from '../condition.js'
import { externalIdFor } from '../external-id.js'
import type { Resource } from '../resource.js'
import type { RowKey } from '../sql/rows.js'
import type { Demands, Operation } from './operation.js'

/** An operation as its caller wrote it; `row` has been judged by the schema of such a body. */
export interface BulkItem {
  readonly op: 'create' | 'update' | 'upsert' | 'delete'
  readonly id?: string
  readonly external_id?: string
  readonly row?: Readonly<Record<string, unknown>>
  readonly if_match?: string
}

/** What is to be done; an Error when the item contradicts itself. */
export function operationOf(resource: Resource, item: BulkItem | Error): Operation | Error {
  if (item instanceof Error) return item
  try {
    return operation(resource, item)
  } catch (error) {
    if (error instanceof InvalidRequestError) return error
    throw error
  }
}

function operation(resource: Resource, item: BulkItem): Operation {
  const { op, row = {}, id, external_id: externalId } = item
  if (op === 'create') {
    refuse(item, ['id', 'external_id', 'if_match'], 'a create names its external_id in row')
    return { op, columns: resource.columns(row) }
  }
  if (op === 'upsert') {
    refuse(item, ['id'], 'an upsert goes by external_id')
    if (externalId === undefined) throw new InvalidRequestError('external_id is missing')
    const [fields, repeated] = splitChange(row)
    const columns = { ...resource.columns(fields), external_id: externalIdFor(externalId, fields) }
    return { op, externalId, columns, demands: demandsOf(item, repeated) }
  }
  const key = keyOf(id, externalId)
  if (op === 'delete') {
    refuse(item, ['row'], 'a delete has none')
    return { op, key, demands: demandsOf(item) }
  }
  const [fields, repeated] = splitChange(row)
  return { op, key, columns: resource.columns(fields), demands: demandsOf(item, repeated) }
}

function keyOf(id: string | undefined, externalId: string | undefined): RowKey {
  if ((id === undefined) === (externalId === undefined)) throw new InvalidRequestError('give either id or external_id')
  return id === undefined ? { externalId: externalId ?? '' } : { id: id.toLowerCase() }
}

function demandsOf({ if_match: ifMatch }: BulkItem, repeated: object = {}): Demands | undefined {
  if (ifMatch !== undefined && !isTagList(ifMatch)) {
    throw new InvalidRequestError('if_match must be * or ETags in their quotes, separated by commas')
  }
  return ifMatch === undefined && Object.keys(repeated).length === 0 ? undefined : { ifMatch, repeated }
}

function refuse(item: BulkItem, names: readonly (keyof BulkItem)[], why: string): void {
  const name = names.find((each) => item[each] !== undefined)
  if (name !== undefined) throw new InvalidRequestError(`${name} is not for this operation: ${why}`)
}
