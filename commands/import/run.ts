import { buildApp } from '../../app.js'
import { loadProcessConfig } from '../../plugins/config.js'
import { PlannedRows } from '../../services/resource/import/planned-rows.js'
import { importBegins } from '../../services/resource/import/since.js'
import { findUser } from '../../services/users/repository.js'
import type { ImportArguments } from './arguments.js'
import { importLines, type Counts } from './importer.js'
import { openInput, sizeOf } from './input.js'
import { kindNamed } from './kinds.js'
import { readMapping } from './mapping.js'
import { checkFaultsFile, Report } from './report.js'
import { MOST_LINE_BYTES } from './row-bytes.js'
import { BatchWriter } from './writer.js'
import { grouped, openProgress } from '../progress.js'

const SOME_REFUSED = 2
const SOME_DIFFERENT = 3
const INTERRUPTED = 'Interrupted: run the same import again to go on'

export interface ImportOutcome {
  readonly counts: Counts
  readonly seconds: number
  readonly isDryRun: boolean
}

/**
 * Loads a catalogue into the service's own database, by its own services; it does not listen.
 * @param tell told what has come of it, also of an import that was interrupted
 * @returns the exit code
 */
export async function runImport(args: ImportArguments, tell: (outcome: ImportOutcome) => void): Promise<number> {
  const { file, userId, existing, kept } = args
  // A missing file or a faulty mapping is said before a database is opened, or made.
  sizeOf(file)
  if (args.faults !== undefined) checkFaultsFile(args.faults)
  const mapping = args.mapping === undefined ? undefined : readMapping(args.mapping, args.currency)
  if (mapping !== undefined && kindNamed(mapping.kind) === undefined)
    throw new Error(`There is no kind ${mapping.kind}`)
  const app = await buildApp(await loadProcessConfig({ listens: false }), { logLevel: 'silent' })
  const interruption = new AbortController()
  // More than once: npm hands a Ctrl-C on to a process that the terminal has told already.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort())
  try {
    if (userId !== undefined && (await findUser(app.db, userId)) === undefined) {
      throw new Error(`There is no user ${userId}: create the user first (POST /api/users)`)
    }
    const startedAt = performance.now()
    const { signal } = interruption
    const { noun, sizeBytes, readBytes, lines } = await openInput(file, {
      maxLineBytes: MOST_LINE_BYTES,
      mapping,
      signal,
    })
    const progress = openProgress(sizeBytes)
    const report = new Report({ noun, file: args.faults, print: (line) => progress.print(line) })
    const planned = args.isDryRun ? new PlannedRows() : undefined
    const since = await importBegins(app.db)
    const onWait = (reason: string): void => progress.print(`${reason}: waiting`)
    const counts = await importLines({
      lines,
      maxLineBytes: MOST_LINE_BYTES,
      kind: args.kind,
      kept,
      writer: new BatchWriter(app, userId, { existing, planned, since }, { onWait, signal }),
      signal,
      onTrouble: (trouble) => report.add(trouble),
      onBatch: (so) => progress.update(readBytes(), `${grouped(so.read)} lines, ${grouped(so.created)} created`),
    }).finally(() => {
      progress.end()
      report.end()
    })
    tell({ counts, seconds: (performance.now() - startedAt) / 1_000, isDryRun: args.isDryRun })
    if (signal.aborted) throw new Error(INTERRUPTED)
    if (counts.refused > 0) return SOME_REFUSED
    return counts.different > 0 ? SOME_DIFFERENT : 0
  } catch (error) {
    // Also before the first byte of what is read has come.
    const isInterrupted = interruption.signal.aborted && error instanceof Error && error.name === 'AbortError'
    throw isInterrupted ? new Error(INTERRUPTED, { cause: error }) : error
  } finally {
    await app.close()
  }
}

/** The outcome for people. */
export function summary({ counts, seconds, isDryRun }: ImportOutcome): string {
  const { read, created, updated, equal, there, different, refused } = counts
  const rows = {
    'lines read': read,
    created,
    updated,
    'already equal': equal,
    'already there': there,
    different,
    refused,
  }
  const table = Object.entries(rows).map(([name, count]) => `${name.padEnd(14)}${grouped(count).padStart(12)}`)
  const note = isDryRun ? ['Nothing was written: this is what would be'] : []
  return [...table, `${'seconds'.padEnd(14)}${seconds.toFixed(1).padStart(12)}`, ...note].join('\n')
}
