import { violatedConstraint } from '../database/errors.js'
import { InvalidRequestError } from '../errors.js'

/** Whether the database refused a row of this table because of its external_id. A resource may have other unique indexes. */
export function isExternalIdTaken(error: unknown, table: string): boolean {
  return violatedConstraint(error) === `${table}_external_id`
}

/**
 * What a row gets that is written under `externalId`.
 * @throws InvalidRequestError when its body names another one
 */
export function externalIdFor(externalId: string, body: object): string {
  const named: unknown = Reflect.get(body, 'external_id')
  if (named === undefined || named === null || named === '' || named === externalId) return externalId
  throw new InvalidRequestError(
    'body: external_id is another one than that of the row: leave it out, or change it by the id',
  )
}
