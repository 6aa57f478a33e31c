import { violatedConstraint } from '../database/errors.js'

/** Whether the database refused a row of this table because of its external_id. A resource may have other unique indexes. */
export function isExternalIdTaken(error: unknown, table: string): boolean {
  return violatedConstraint(error) === `${table}_external_id`
}
