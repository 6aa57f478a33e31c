import { arch, cpus, release, totalmem, type as osType } from 'node:os'
import type { OverloadReport } from './drill.js'
import type { StageOptions } from './stage.js'

/** Each promise that the drill saw broken, in words; empty when all held. */
export function broken({ scenes }: OverloadReport): string[] {
  return scenes.flatMap(({ name, promises }) =>
    promises
      .filter(({ isHeld }) => !isHeld)
      .map(({ what, limit, measured }) => `${name}: ${what} ${measured}, promised ${limit}`),
  )
}

/** The whole result as text. */
export function reportText(report: OverloadReport, { seed, seconds, isPinned }: StageOptions): string {
  const { rates, scenes } = report
  const [hits, database] = [Math.round(rates.hits), Math.round(rates.database)]
  const lines = [
    `machine     ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${osType()} ${release()} ${arch()}, Node ${process.version}`,
    `drill       seed ${seed}, ${seconds} s a phase; service, PostgreSQL, Redis and generators share the cores${isPinned ? ', the service alone on the first' : ''}`,
    `rates       ${hits} hits/s; ${database} uncached lists and writes/s (4:1): the highest of this run`,
    '',
    row(['scene', 'promise', 'limit', 'measured', '', 'load']),
    ...scenes.flatMap(({ name, promises, lateMs, core, load }) => [
      ...promises.map(({ what, limit, measured, isHeld }, n) =>
        row([n === 0 ? name : '', what, limit, measured, isHeld ? '' : 'MISSED', n === 0 ? load.toFixed(1) : '']),
      ),
      row(['', 'generator of the hits late, p99', '', `${lateMs.toFixed(1)} ms`]),
      row(['', 'the service had a core; was ready and had none', '', `${percent(core.ran)}; ${percent(core.waited)}`]),
    ]),
    '',
  ]
  const failures = broken(report)
  return [...lines, ...(failures.length === 0 ? ['Every promise held.'] : ['BROKEN:', ...failures])].join('\n')
}

function percent(part: number): string {
  return `${Math.round(100 * part)} %`
}

const WIDTHS = [18, 58, 12, 20, 8, 5]

function row(cells: readonly string[]): string {
  return cells
    .map((cell, n) => cell.padEnd(WIDTHS[n] ?? 0))
    .join('')
    .trimEnd()
}
