import { execFileSync } from 'node:child_process'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { binaryDirectory, type PostgresServer, startPostgres } from '../../test/helpers/servers/postgres.js'

/** What the figures were made on. The load of the last minute says whether others were at work too. */
export function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor'
  const load = loadavg()[0]?.toFixed(1) ?? '?'
  const memory = Math.round(totalmem() / 1024 ** 3)
  return `Node ${process.version}, ${process.platform} ${process.arch}, ${cpus().length} × ${model.trim()}, ${memory} GiB, load ${load}`
}

/** As in production: a commit is on the disk when it is acknowledged, and memory holds what is worked on. */
const DURABLE = { fsync: 'on', full_page_writes: 'on', max_connections: '300', shared_buffers: '256MB' }

/**
 * A PostgreSQL whose commits cost what they cost on a disk, and what to say of it beside the figures.
 * @throws Error when its files would lie in memory
 */
export async function startDurablePostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<{ readonly postgres: PostgresServer; readonly note: string }> {
  const postgres = await startPostgres({ ...DURABLE, ...settings })
  const [kind, device] = execFileSync('df', ['--output=fstype,source', postgres.data], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .at(-1)!
    .split(/\s+/)
  if (kind === 'tmpfs' || kind === 'ramfs') {
    await postgres.stop()
    throw new Error('Temporary files lie in memory, where fsync costs nothing: set TMPDIR to a folder on a disk')
  }
  const version = execFileSync(join(binaryDirectory(), 'postgres'), ['--version'], { encoding: 'utf8' }).trim()
  return { postgres, note: `${version}, fsync on, its data on ${kind} (${device}), not in memory.` }
}
