import type { SqlType } from '../sql/columns.js'
import type { ResourceDefinition } from '../definition.js'
import type { Filter, Match, Selection } from './list-query.js'
import type { Parameters } from './parameters.js'

type Searched = Pick<ResourceDefinition, 'name' | 'columns' | 'filters' | 'search'>

/** Their texts are the same on every server, and for ever. */
const FILTER_TYPES: readonly SqlType[] = ['text', 'uuid', 'boolean', 'integer', 'bigint', 'text[]', 'uuid[]']

/**
 * SQL of what a row is found by: the words of the columns that are searched, and the values of those that lists are narrowed by, each
 * with its owner before it (the functions of the migrations `lists` and `list-terms`). One index of it answers every combination of filters by the rows that
 * fit; no extension of the database is needed for that. `undefined` when lists are neither searched nor narrowed.
 * @throws Error for a column that can be neither
 */
export function termsOf({ name, columns, filters, search = [] }: Searched): string | undefined {
  const filtered = [...new Set(Object.values(filters))].sort()
  const [texts, arrays] = [ofType(search, 'text'), ofType(search, 'text[]')]
  const wrong =
    search.find((column) => !texts.includes(column) && !arrays.includes(column)) ??
    filtered.find((column) => !FILTER_TYPES.some((type) => type === columns[column]))
  if (wrong !== undefined) {
    const why = columns[wrong] ?? 'there is no such column'
    throw new Error(`${name}: lists can not be searched or narrowed by ${wrong}: ${why}`)
  }
  if (search.length + filtered.length === 0) return undefined
  const words = [`array[${texts.join(', ')}]::text[]`, ...arrays].join(' || ')
  const facets = filtered.map((column) => facetsIn(column, columns[column], column)).join(' || ') || `'{}'`
  // Of an array that is null, and of nothing else, the facets are null: where all are, the row would have no terms, and no word would find it.
  const mayBeNull = filtered.length > 0 && filtered.every((column) => columns[column]?.endsWith('[]'))
  return `list_terms(user_id, list_words_2(list_fold(${words})), ${mayBeNull ? `coalesce(${facets}, '{}')` : facets})`

  function ofType(names: readonly string[], type: SqlType): string[] {
    return names.filter((column) => columns[column] === type)
  }
}

/** SQL of the facets of a value: the same of a row's as of one that is asked for. Texts in arrays are compared without letter case. */
function facetsIn(column: string, type: string | undefined, value: string): string {
  switch (type) {
    case 'text':
      return `list_facets_2('${column}', array[${value}])`
    case 'text[]':
      return `list_facets_2('${column}', list_fold(${value}))`
    case 'uuid[]':
      return `list_facets_2('${column}', ${value}::text[])`
    default:
      // Short, and of plain characters.
      return `array['${column}=' || ${value}::text]`
  }
}

/** SQL of the tsquery for the terms that a selection asks for; `undefined` when it asks for none. `owner` is the place of the user's id. */
export function termQuery(selection: Selection, owner: string, parameters: Parameters): string | undefined {
  const { matches, words } = selection
  const queries: string[] = []
  if (words !== undefined) {
    queries.push(`(select list_all_2(${owner}, ${wordsIn(parameters.place(words, 'text'))}, '{}'))`)
  }
  const all = matches.filter(({ isAny }) => !isAny).map((match) => facetsOf(match, parameters))
  if (all.length > 0) queries.push(`list_all_2(${owner}, '{}', ${all.join(' || ')})`)
  for (const match of matches.filter(({ isAny }) => isAny)) {
    queries.push(`list_any(${owner}, ${facetsOf(match, parameters)})`)
  }
  return queries.length === 0 ? undefined : queries.join(' && ')
}

/**
 * SQL of the words of a text, each once, and none that another one begins with: what has that one has it too. The index looks each up by itself, with all
 * that it is the beginning of: a letter that is said a hundred times would be a hundred such searches.
 */
function wordsIn(text: string): string {
  const words = `unnest(list_words_2(list_fold(array[${text}])))`
  return `array(select distinct word from ${words} as word
    where not exists (select from ${words} as longer where longer <> word and starts_with(longer, word)))`
}

function facetsOf({ filter: { column, type, test }, values }: Match, parameters: Parameters): string {
  if (test === 'equals') return facetsIn(column, type, parameters.place(values[0], type))
  return facetsIn(column, `${type}[]`, parameters.place(values, `${type}[]`))
}

/** SQL that compares a row itself with one filter: without the index, and cheaper than to make a row's terms. */
export function comparison({ filter: { column, type, test }, values, isAny }: Match, parameters: Parameters): string {
  if (test === 'equals') return `${column} = ${parameters.place(values[0], type)}`
  const folded = (array: string): string => (type === 'text' ? `list_fold(${array})` : array)
  return `${folded(column)} ${isAny ? '&&' : '@>'} ${folded(parameters.place(values, `${type}[]`))}`
}

/** Filters that cost little to compare with the row once more. No term is cut: without it the answer is the same. */
export function isToCompare({ test }: Filter): boolean {
  return test === 'equals'
}
