import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { buildApp } from '../../app.js'
import { loadProcessConfig } from '../../plugins/config.js'
import { inSnapshot } from '../../services/export/snapshot.js'
import type { ExportArguments } from './arguments.js'
import { grouped, openProgress } from '../progress.js'
import { countLines, exportedLines } from './lines.js'
import { type ExportOutput, openExportOutput } from './output.js'

/** Nobody else has the session, or the connection, so it may wait for whoever reads. */
const NO_LIMIT = 0

/**
 * Writes a catalogue from the service's own database; it does not listen.
 * @returns how many lines
 */
export async function runExport(args: ExportArguments): Promise<number> {
  // What can't be written is said before a database is opened. Until then a signal ends the process, which may wait for a reader.
  const output = await openExportOutput(args.file)
  const interruption = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort())
  const { signal } = interruption
  try {
    const lines = await writeTo(output, args, signal)
    output.finish()
    return lines
  } catch (error) {
    output.discard()
    throw signal.aborted
      ? new Error('Interrupted: nothing that could be imported as a whole was written', { cause: error })
      : error
  }
}

async function writeTo(output: ExportOutput, args: ExportArguments, signal: AbortSignal): Promise<number> {
  const app = await buildApp(await loadProcessConfig({ listens: false }), { logLevel: 'silent' })
  let lines = 0
  let onLines = (): void => {}
  const counted = async function* (chunks: AsyncIterable<string>): AsyncGenerator<string> {
    for await (const chunk of chunks) {
      lines += chunk.split('\n').length - 1
      onLines()
      yield chunk
    }
  }
  try {
    await inSnapshot(app.db, NO_LIMIT, async (snapshot) => {
      // Beside rows on the standard output a bar would be in the way.
      const progress = output.isOwn ? openProgress(await countLines(snapshot, args)) : undefined
      onLines = () => progress?.update(lines, `${grouped(lines)} lines`)
      const chunks = Readable.from(counted(exportedLines(snapshot, app.db.kind, args)), { highWaterMark: 1 })
      const settings = { signal, end: output.isOwn }
      const written = args.isPacked
        ? pipeline(chunks, createGzip(), output.stream, settings)
        : pipeline(chunks, output.stream, settings)
      await written.finally(() => progress?.end())
    })
    return lines
  } finally {
    await app.close()
  }
}
