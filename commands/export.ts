import { createWriteStream, renameSync, rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { buildApp } from '../app.js'
import { loadProcessConfig } from '../plugins/config.js'
import { inSnapshot } from '../services/export/snapshot.js'
import { type ExportArguments, parseExportArguments, usage } from './export/arguments.js'
import { exportedLines } from './export/lines.js'
import { grouped } from './progress.js'

const FAILED = 1

/** Nobody else has the session, or the connection, so it may wait for whoever reads. */
const NO_LIMIT = 0

/** Writes a catalogue from the service's own database; it does not listen. */
async function run(args: ExportArguments): Promise<void> {
  const { file, isPacked } = args
  const app = await buildApp(await loadProcessConfig({ listens: false }), { logLevel: 'silent' })
  const interruption = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort())
  const { signal } = interruption
  const part = file === undefined ? undefined : `${file}.part`
  const output = part === undefined ? process.stdout : createWriteStream(part, { mode: 0o600 })
  let lines = 0
  const counted = async function* (chunks: AsyncIterable<string>): AsyncGenerator<string> {
    for await (const chunk of chunks) {
      lines += chunk.split('\n').length - 1
      yield chunk
    }
  }
  try {
    await inSnapshot(app.db, NO_LIMIT, async (snapshot) => {
      const chunks = Readable.from(counted(exportedLines(snapshot, app.db.kind, args)), { highWaterMark: 1 })
      // The standard output is not ours to end, and has no end to wait for.
      const end = part !== undefined
      if (isPacked) await pipeline(chunks, createGzip(), output, { signal, end })
      else await pipeline(chunks, output, { signal, end })
    })
    if (file !== undefined && part !== undefined) renameSync(part, file)
    console.error(`${grouped(lines)} lines`)
  } catch (error) {
    if (part !== undefined) rmSync(part, { force: true })
    throw signal.aborted
      ? new Error('Interrupted: nothing that could be imported as a whole was written', { cause: error })
      : error
  } finally {
    await app.close()
  }
}

// Whoever reads may have had enough.
process.stdout.on('error', () => {})
try {
  const args = parseExportArguments(process.argv.slice(2))
  if (args === undefined) console.log(usage)
  else await run(args)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = FAILED
}
