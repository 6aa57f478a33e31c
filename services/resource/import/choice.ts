import type { ResourceDefinition } from '../definition.js'
import type { Candidate } from './candidates.js'

/** The rows that a line may mean: none, one, or several that have its natural key; or why it can be none. */
export type Choice = { readonly ids: readonly string[] } | { readonly reason: string }

/** @param keepsId whether the line is known by its id alone */
export function chooseRow(
  { kind }: ResourceDefinition,
  userId: string,
  candidates: readonly Candidate[],
  keepsId: boolean,
): Choice {
  const [byId] = candidates.filter((candidate) => candidate.found_by === 'id')
  const [named] = candidates.filter((candidate) => candidate.found_by === 'external_id')
  if (byId !== undefined && byId.user_id !== userId)
    return { reason: `a ${kind} of another user has its id (${byId.id})` }
  if (keepsId) {
    if (named !== undefined && named.id !== byId?.id)
      return { reason: `another ${kind} has its external_id (${named.id})` }
    return { ids: byId === undefined ? [] : [byId.id] }
  }
  if (named !== undefined) return { ids: [named.id] }
  return { ids: candidates.map(({ id }) => id).sort() }
}
