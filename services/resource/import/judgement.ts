import { MOST_NAMED } from './candidates.js'
import type { Compared } from './comparison.js'
import type { ImportMode } from './importer.js'
import { isPlannedId } from './planned-rows.js'
import type { ImportOutcome } from './row.js'

/** Thrown to look again: what a batch decided by has changed since. */
export class Changed extends Error {}

/** More rows may have the natural key than were compared, and one of them may be equal. */
export function isCrowded(compared: readonly Compared[]): boolean {
  return compared.length >= MOST_NAMED && compared.every(({ differences }) => differences !== null)
}

/** What the rows that a line may mean are to it. Several have its natural key only where it has no external_id. */
export function judge(compared: readonly Compared[], { existing }: ImportMode): ImportOutcome {
  const equal = compared.find(({ differences }) => differences === null)
  if (equal !== undefined) return { outcome: 'equal', id: equal.id }
  const [one, another] = compared
  // It was there a statement ago.
  if (one === undefined) throw new Changed('A row was deleted while it was compared')
  if (another !== undefined) {
    const ids = compared.flatMap(({ id }) => (isPlannedId(id) ? [] : [id])).slice(0, MOST_NAMED)
    const named = ids.length === 0 ? '' : ` (${ids.join(', ')})`
    return refused([`several rows have its key, none of them is equal${named}: give it the external_id of one`])
  }
  if (existing === 'update' && !one.is_new) return { outcome: 'updated', id: one.id }
  return { outcome: 'different', id: one.id, differences: one.differences ?? [], isNew: one.is_new }
}

export function refused(reasons: readonly string[]): ImportOutcome {
  return { outcome: 'refused', reasons, isEarly: false }
}
