import { cpus, loadavg, totalmem } from 'node:os'

/** What the figures were made on. The load of the last minute says whether others were at work too. */
export function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor'
  const load = loadavg()[0]?.toFixed(1) ?? '?'
  const memory = Math.round(totalmem() / 1024 ** 3)
  return `Node ${process.version}, ${process.platform} ${process.arch}, ${cpus().length} × ${model.trim()}, ${memory} GiB, load ${load}`
}
