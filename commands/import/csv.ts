import { Readable, pipeline } from 'node:stream'
import { TextDecoder } from 'node:util'
import { parse } from 'csv-parse'
import { peek } from './bytes.js'
import type { Line } from './lines.js'
import { columnsIn, type CsvLine, mapped } from './mapped-row.js'
import type { Mapping } from './mapping.js'

const DELIMITERS = [',', ';', '\t'] as const
/** In which the line of the names of the columns ends. */
const MOST_HEADER_BYTES = 65_536
/** The parser refuses to go on with a longer record: a quote that is not closed would make one of the rest of the file. */
const MOST_RECORD_BYTES = 524_288
/** A group is kept until its last line. */
const MOST_LINES = 5_000

/** A record as csv-parse gives it: bytes, each as one character of Latin 1. */
interface Raw {
  readonly record: readonly string[]
  /** As it stands in the file, with empty lines before it, and of what ends it the first byte. */
  readonly raw: string
}

/**
 * The rows of a CSV file in UTF-8 whose first line has the names of its columns, each as the JSON of what the mapping makes of it.
 * @throws Error when a column is not there of which a mapping makes what every row must have
 */
export async function rowsOfCsv(bytes: AsyncIterable<Buffer>, mapping: Mapping): Promise<AsyncIterable<Line>> {
  const { head, chunks } = await peek(bytes, MOST_HEADER_BYTES)
  const delimiter = latin1Of(mapping.delimiter ?? delimiterIn(head))
  const parser = parse({
    delimiter,
    // All of them: left to itself, the parser takes the first that it meets for the only one.
    record_delimiter: ['\r\n', '\n', '\r'],
    encoding: 'latin1',
    raw: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: MOST_RECORD_BYTES,
  })
  const raw = pipeline(Readable.from(chunks), parser, () => {})[Symbol.asyncIterator]() as AsyncIterator<Raw>
  let first = await raw.next()
  let headerLines = 0
  for (; first.done !== true; first = await raw.next()) {
    headerLines = linesIn(first.value.raw, headerLines).last
    if (!isBlank(first.value.record)) break
  }
  const names = first.done === true ? [] : decode(first.value.record)
  if (names === undefined) throw new Error('The first line is not valid UTF-8: save the file as CSV in UTF-8')
  const columns = columnsIn(names, mapping)
  return grouped(raw, columns, { ...mapping, delimiter, width: names.length }, headerLines)
}

async function* grouped(
  raw: AsyncIterator<Raw>,
  columns: ReadonlyMap<string, number>,
  mapping: Mapping & { readonly delimiter: string; readonly width: number },
  headerLines: number,
): AsyncGenerator<Line> {
  let group: CsvLine[] = []
  let groupName: string | undefined
  let number = headerLines
  let startedAt = number + 1
  let fault: string | undefined
  const take = (): Line | undefined => {
    const lines = group
    group = []
    if (fault !== undefined) return { number: startedAt, fault }
    return lines.length === 0 ? undefined : mapped(startedAt, lines, mapping)
  }
  for (;;) {
    const next = await raw.next().catch((error: unknown) => {
      // The import is interrupted: that is no fault of a line.
      if (error instanceof Error && error.name === 'AbortError') throw error
      throw new Error(`After line ${number}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    })
    if (next.done === true) break
    const { record, raw: text } = next.value
    const lines = linesIn(text, number)
    // Spreadsheets write rows that somebody has emptied.
    if (isBlank(record)) {
      number = lines.last
      continue
    }
    const cells = decode(record)
    const line: CsvLine = (column) => cells?.[columns.get(column) ?? -1]?.trim() ?? ''
    const name = mapping.group === undefined ? undefined : line(mapping.group)
    const isNext = mapping.group === undefined || group.length === 0 || (name !== '' && name !== groupName)
    if (isNext) {
      const row = take()
      if (row !== undefined) yield row
      fault = undefined
      startedAt = lines.first
      groupName = name
    }
    number = lines.last
    if (lines.last > lines.first && isLeftOpen(text.replace(/^[\n\r]+/, ''), mapping.delimiter))
      fault = `a quote is not closed: lines ${lines.first} to ${lines.last} are one row`
    else if (cells === undefined) fault = 'not valid UTF-8'
    else if (cells.length > mapping.width && !isBlank(cells.slice(mapping.width)))
      fault = `it has ${cells.length} columns, and the first line has ${mapping.width}`
    else if (group.length >= MOST_LINES) fault = `more than ${MOST_LINES} lines are of one row`
    group.push(line)
  }
  const last = take()
  if (last !== undefined) yield last
}

/** Where a record stands. By its text: csv-parse counts `\r\n` inside of quotes twice. */
function linesIn(raw: string, before: number): { readonly first: number; readonly last: number } {
  const text = raw.trimStart()
  const breaks = (part: string): number => part.match(/\r\n|[\n\r]/g)?.length ?? 0
  const first = before + breaks(raw) - breaks(text) + 1
  return { first, last: first + breaks(text.trimEnd()) }
}

/**
 * Whether a cell that goes over the end of a line is closed by a quote behind which the cell goes on. Within a line that is taken as it is written
 * (`"5" mug"`). Over lines it is the opening quote of a later cell: somebody's quote was never closed, and the rows between would be lost.
 */
function isLeftOpen(text: string, delimiter: string): boolean {
  for (let start = 0; start < text.length;) {
    const end = text[start] === '"' ? closingQuote(text, start + 1) : start
    const isAtEnd = /^(?:$|[\n\r])/.test(text.slice(end + 1, end + 2)) || text.startsWith(delimiter, end + 1)
    if (end > start && !isAtEnd && /[\n\r]/.test(text.slice(start, end))) return true
    const next = text.indexOf(delimiter, end)
    if (next < 0) return false
    start = next + delimiter.length
  }
  return false
}

function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from)
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2)
  return at < 0 ? text.length : at
}

function isBlank(record: readonly string[]): boolean {
  return record.every((cell) => cell.trim() === '')
}

/** As it stands in what the parser reads. */
function latin1Of(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** The bytes of each cell as UTF-8; `undefined` when one is not. */
function decode(record: readonly string[]): readonly string[] | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    return record.map((cell) => (/^[\0-\x7f]*$/.test(cell) ? cell : decoder.decode(Buffer.from(cell, 'latin1'))))
  } catch {
    return undefined
  }
}

/** The one of which the first line has most, outside of quotes. */
function delimiterIn(head: Buffer): string {
  const text = head.toString('latin1').replace(/"[^"]*"/g, '""')
  const first = text.split(/[\n\r]+/).find((line) => /[^,;\s]/.test(line)) ?? ''
  const counts = DELIMITERS.map((delimiter) => first.split(delimiter).length)
  return DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ','
}
