import { type Mutant, mutant, serviceMutant } from './mutant.js'

/** What sees to it that a list, which is ids and documents apart, answers as one. */
export const LIST_MUTANTS: readonly Mutant[] = [
  mutant(
    'a column that changes raises what it decides about',
    'journal/table-triggers',
    '...Object.entries(byColumn).map(([name, tag])',
    '...Object.entries(byColumn).slice(1).map(([name, tag])',
    'journal/table-triggers',
  ),
  serviceMutant(
    'a list carries the tags of the columns that decide about it',
    'resource/addresses',
    'this.#deciding.ofQuery(query).map(',
    'this.#deciding.ofQuery(query).slice(1).map(',
    'replicas/lists-beside-no-cache',
  ),
  serviceMutant(
    'a row that changes its owner comes and goes',
    'resource/addresses',
    "listColumns: ['user_id'],",
    "listColumns: ['id'],",
    'routes/api/lists/parts',
    'replicas/lists-beside-no-cache',
  ),
  serviceMutant(
    'a page that was put together carries the tags of its rows',
    'resource/lists/pages',
    '...tags, ...rows])]',
    '...tags])]',
    'routes/api/designs-cache',
    'replicas/lists-of-ids',
  ),
  serviceMutant(
    'a page shows what was known when its parts were first asked for, and no more',
    'resource/lists/pages',
    'value, begun)',
    'value, cache.begin())',
    'routes/api/lists/parts',
  ),
  serviceMutant(
    'a page whose row is gone is read anew',
    'resource/lists/pages',
    'if (!isGone || attempt === MOST_ATTEMPTS) {',
    'if (attempt > 0) {',
    'routes/api/lists/parts',
  ),
  serviceMutant(
    'a page ends where it gets too long, whoever has loaded its ids',
    'resource/lists/gather',
    'if (bytes > 0 && bytes + more > PAGE_BYTES) return { parts, isCut: true, bytes }',
    '',
    'routes/api/lists/parts',
  ),
  serviceMutant(
    'a page as it was put together answers who can have no part of it',
    'resource/lists/pages',
    'if (cache.isolatedMs < 0) throw error',
    'throw error',
    'replicas/isolated',
  ),
  serviceMutant(
    'a total is never less than what its page shows',
    'resource/lists/reading',
    'Math.max(counted, nextCursor === null ? ids.length : ids.length + 1)',
    'counted',
    'services/resource/totals',
  ),
  serviceMutant(
    'of a page that is all of its list nothing is counted',
    'resource/lists/reading',
    'if (selection.after === undefined && nextCursor === null) return { total: ids.length, isExact: true }',
    '',
    'services/resource/totals',
  ),
  serviceMutant(
    'where a page begins and how long it is makes no plan',
    'resource/lists/parameters',
    'return `(select ${this.place(value, type)})`',
    'return this.place(value, type)',
    'services/resource/lists/rows-read',
  ),
]
