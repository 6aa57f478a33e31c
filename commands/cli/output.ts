import { stripVTControlCharacters, styleText } from 'node:util'
import type { CliContext } from './context.js'

type Style = 'green' | 'yellow' | 'red' | 'bold' | 'dim'

/** A column that is all numbers is aligned to the right. */
export type Cell = string | number | null

/** Where a command says what it found: readable at a terminal, JSON otherwise. */
export interface Output {
  readonly isJson: boolean
  readonly isTerminal: boolean
  /** One document, or one line of many where `isLine`. */
  json(value: unknown, options?: { readonly isLine?: boolean }): void
  line(text: string): void
  /** What is no result: hints and progress, on stderr. */
  note(text: string): void
  styled(style: Style, text: string): string
}

/** @param isJson `--json`; it is the rule where the standard output is no terminal */
export function openOutput({ stdout: stream, stderr }: CliContext, isJson: boolean): Output {
  const isTerminal = stream.isTTY === true
  // Node looks at NO_COLOR, TERM and the like.
  const isColoured = isTerminal && stream.hasColors?.() === true
  return {
    isJson: isJson || !isTerminal,
    isTerminal,
    json(value, { isLine = false } = {}) {
      stream.write(`${isLine ? JSON.stringify(value) : JSON.stringify(value, null, 2)}\n`)
    },
    line(text) {
      stream.write(`${text}\n`)
    },
    note(text) {
      stderr.write(`${text}\n`)
    },
    styled(style, text) {
      return isColoured ? styleText(style, text, { validateStream: false }) : text
    },
  }
}

/** Lines of columns, as wide as they have to be. */
export function table(rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map(cellText))
  const columns = Math.max(0, ...rows.map(({ length }) => length))
  const widths = Array.from({ length: columns }, (_, at) => Math.max(...texts.map((row) => widthOf(row[at] ?? ''))))
  return texts
    .map((row, line) =>
      row
        .map((text, at) => {
          const gap = ' '.repeat((widths[at] ?? 0) - widthOf(text))
          return typeof rows[line]?.[at] === 'number' ? gap + text : text + gap
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cellText(cell: Cell): string {
  return typeof cell === 'number' ? cell.toLocaleString('en-US') : printable(cell ?? '–')
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length
}

/** Data of others may hold codes that a terminal obeys; our own colours are left. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  return text.replaceAll(/[\u0000-\u001a\u001c-\u001f\u007f-\u009f]|\u001b(?!\[(?:1|2|22|3[1239])m)/g, '\uFFFD')
}
