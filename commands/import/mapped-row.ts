import { isExactNumber } from '../../services/json-numbers.js'
import { exampleAmount, minorUnits } from './amount.js'
import type { Line } from './lines.js'
import type { Mapping, Rule } from './mapping.js'

/** A line of CSV: the text of a column by its name; '' when it is empty, or not there. */
export type CsvLine = (column: string) => string

/** Blanks and characters without width around the name of a column, as they come along with a copied text. */
const UNSEEN = /^[\s\u200b-\u200d\u2060]+|[\s\u200b-\u200d\u2060]+$/g

/**
 * The place of each column by its name in the first line, or by its place where that is in another language. Of two with one name the
 * first counts; the case of letters does not where it makes no difference.
 * @throws Error when the file has none of the columns of one of the fields
 */
export function columnsIn(
  found: readonly string[],
  { group, fields, layouts = [] }: Mapping,
): ReadonlyMap<string, number> {
  const named = layouts.find((layout) => isTranslated(layout, found)) ?? found
  // Composed, as the texts of a mapping are.
  const names = named.map((name) => name.normalize('NFC').replace(UNSEEN, ''))
  const places = new Map<string, number>()
  for (const [place, name] of names.entries()) if (!places.has(name)) places.set(name, place)
  for (const [place, name] of names.entries()) {
    const wanted = [...Object.values(fields).flatMap(columnsOf), group ?? ''].find(
      (column) => !places.has(column) && column.toLowerCase() === name.toLowerCase(),
    )
    if (wanted !== undefined) places.set(wanted, place)
  }
  const missing = Object.entries(fields).filter(([, rule]) => {
    const columns = typeof rule === 'string' || 'column' in rule ? columnsOf(rule) : []
    const isNeeded = typeof rule === 'string' || !('column' in rule) || (rule.otherwise ?? rule.single) === undefined
    return isNeeded && columns.length > 0 && !columns.some((column) => places.has(column))
  })
  if (missing.length === 0 && (group === undefined || places.has(group))) return places
  const wanted = missing.length === 0 ? [group] : missing.map(([field, rule]) => `${columnsOf(rule)[0]} (for ${field})`)
  throw new Error(`The file has no column ${wanted.join(', ')}: its first line is ${names.join(', ').slice(0, 500)}`)
}

/**
 * `IMMAGINE10` for `IMAGE10`: as many names, the same numbers in them, and those that are not translated in their places. A file whose columns
 * somebody has moved is none.
 */
function isTranslated(layout: readonly string[], found: readonly string[]): boolean {
  const names = found.map((name) => name.trim().toUpperCase())
  return (
    names.length === layout.length &&
    layout.every((name, place) => numberIn(name) === numberIn(names[place] ?? '')) &&
    names.every((name, place) => !layout.includes(name) || layout[place] === name)
  )
}

function numberIn(name: string): string | undefined {
  return /\d+/.exec(name)?.[0]
}

function columnsOf(rule: Rule): readonly string[] {
  if (typeof rule === 'string') return [rule]
  if ('column' in rule) return [rule.column].flat()
  if ('columns' in rule) return rule.columns
  if ('amount' in rule) return [...columnsOf(rule.amount), ...columnsOf(rule.currency)]
  return 'fields' in rule ? Object.values(rule.fields).flatMap(columnsOf) : []
}

/** As people and spreadsheets write it; `0x10` is a code, and no number. */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i

/** What a row of CSV is that can't be read as the mapping says. */
class CellFault extends Error {}

/** The JSON of what the mapping makes of the lines of one row, or all that is wrong with them. */
export function mapped(number: number, lines: readonly CsvLine[], mapping: Mapping): Line {
  const faults: string[] = []
  const row: Record<string, unknown> = { kind: mapping.kind }
  for (const [field, rule] of Object.entries(mapping.fields)) {
    try {
      const value = valueOf(rule, lines, mapping)
      if (value !== undefined) row[field] = value
    } catch (error) {
      if (!(error instanceof CellFault)) throw error
      faults.push(error.message)
    }
  }
  return faults.length > 0 ? { number, fault: faults.join('; ') } : { number, text: JSON.stringify(row) }
}

/** `undefined` when it is empty. */
function valueOf(rule: Rule, lines: readonly CsvLine[], mapping: Mapping): unknown {
  if (typeof rule === 'string') return firstIn(lines, rule)
  if ('value' in rule) return rule.value
  if ('option' in rule) return mapping.currency
  if ('columns' in rule) return listOf(rule.columns.flatMap((column) => firstIn(lines, column) ?? []))
  if ('amount' in rule) return priceOf(rule, lines, mapping)
  if ('fields' in rule) {
    if (rule.each !== true) return objectOf(rule.fields, lines, mapping)
    return listOf(lines.flatMap((line) => objectOf(rule.fields, [line], mapping) ?? []))
  }
  if (rule.each === true) {
    const all = lines.flatMap((line) => columnValue({ ...rule, each: false }, [line]) ?? [])
    return listOf([...new Set(all)].slice(0, rule.most))
  }
  return columnValue(rule, lines) ?? rule.otherwise
}

type ColumnRule = Exclude<Extract<Rule, { column: unknown }>, string>

function columnValue(rule: ColumnRule, lines: readonly CsvLine[]): unknown {
  const column = [rule.column].flat().find((name) => firstIn(lines, name) !== undefined)
  const text = column === undefined ? undefined : firstIn(lines, column)
  if (column === undefined || text === undefined) return undefined
  if (rule.single !== undefined && text.includes(rule.single)) return undefined
  if (rule.split === undefined) return textValue(rule, text, column)
  const parts = text.split(rule.split).map((part) => part.trim())
  const values = parts.flatMap((part) => (part === '' ? [] : (textValue(rule, part, column) ?? [])))
  return listOf([...new Set(values)].slice(0, rule.most))
}

function textValue(rule: ColumnRule, text: string, column: string): unknown {
  if (rule.part !== undefined) return partOf(text, rule.part)
  if (rule.as === 'boolean')
    return (rule.true ?? ['true', 'yes', '1']).some(
      (word) => word.toLowerCase() === text.normalize('NFC').toLowerCase(),
    )
  if (rule.as === undefined) return text
  return numberOf(text, column, rule.as)
}

function numberOf(text: string, column: string, as: 'integer' | 'number'): number {
  const value = DECIMAL.test(text) ? Number(text) : Infinity
  if (!Number.isFinite(value) || (as === 'integer' && !Number.isInteger(value)))
    throw new CellFault(`${column} must be ${as === 'integer' ? 'a whole number' : 'a number'}: ${shortened(text)}`)
  if (!isExactNumber(text)) throw new CellFault(`${column} has more digits than are kept: ${shortened(text)}`)
  return value
}

function priceOf(
  { amount, currency }: Extract<Rule, { amount: unknown }>,
  lines: readonly CsvLine[],
  mapping: Mapping,
): unknown {
  const [text, named] = [amount, currency].map((rule) => {
    const value = valueOf(rule, lines, mapping)
    return typeof value === 'number' ? String(value) : value
  })
  if (typeof text !== 'string') return undefined
  const column = columnsOf(amount)[0] ?? 'the price'
  const code = typeof named === 'string' ? named : mapping.currency
  if (code === undefined) {
    // The mapping says that nothing but the command line names one: then there are no prices.
    if (typeof currency === 'object' && 'option' in currency) return undefined
    const from = columnsOf(currency)[0] ?? 'its currency'
    throw new CellFault(`${column} has no currency: ${from} is empty, and --currency is not given: ${shortened(text)}`)
  }
  const cents = minorUnits(text, code)
  if (cents !== undefined) return { cents, currency: code }
  const example = exampleAmount(code)
  throw new CellFault(`${column} must be an amount of ${shortened(code)}, such as ${example}: ${shortened(text)}`)
}

function objectOf(
  fields: Readonly<Record<string, Rule>>,
  lines: readonly CsvLine[],
  mapping: Mapping,
): Record<string, unknown> | undefined {
  const entries = Object.entries(fields).map(([name, rule]) => [name, valueOf(rule, lines, mapping)] as const)
  const filled = entries.filter(([, value]) => value !== undefined)
  return filled.length === 0 ? undefined : Object.fromEntries(filled)
}

function firstIn(lines: readonly CsvLine[], column: string): string | undefined {
  return lines.map((line) => line(column)).find((text) => text !== '')
}

function listOf(values: readonly unknown[]): readonly unknown[] | undefined {
  return values.length === 0 ? undefined : values
}

/** Of a URL without what comes after its path. */
function partOf(text: string, part: 'name' | 'folder'): string | undefined {
  const path = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text.replace(/[?#].*$/s, '') : text
  const slash = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'))
  return (part === 'name' ? path.slice(slash + 1) : path.slice(0, Math.max(slash, 0))) || undefined
}

function shortened(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
