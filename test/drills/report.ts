import { arch, cpus, release, totalmem, type as osType } from 'node:os'
import type { DrillOptions, DrillReport } from './drill.js'
import type { Summary } from './histogram.js'
import type { PhaseCounts } from './ledger.js'

/** Each promise that the drill saw broken, in words; empty when all held. */
export function broken({ clients, happenings, unexpectedExits, verified }: DrillReport): string[] {
  const { violationCount, final } = clients
  const missing = happenings
    .filter(({ evidence }) => evidence === undefined)
    .map(({ fault, failure }) => `${fault} (${failure})`)
  const slow = happenings.filter(({ recoveryMs }) => recoveryMs === undefined).map(({ fault }) => fault)
  return [
    ...Object.entries(violationCount).map(([kind, count]) => `${count} × ${kind}`),
    ...(final.lostWrites.length > 0 ? [`${final.lostWrites.length} acknowledged writes lost`] : []),
    ...(final.different.length > 0 ? [`${final.different.length} answers differ from PostgreSQL at the end`] : []),
    ...(verified.missed > 0 ? [`${verified.missed} changes that the verifier says nobody was told of`] : []),
    ...(verified.confirmed === 0 ? ['the verifier confirmed nothing'] : []),
    ...(missing.length > 0 ? [`planned faults that did not happen: ${missing.join('; ')}`] : []),
    ...(slow.length > 0 ? [`not well in time after: ${slow.join('; ')}`] : []),
    ...unexpectedExits.map(({ replica, how, log }) => `replica ${replica} ended by itself (${how}):\n${log}`),
  ]
}

/** The whole result as text. */
export function reportText(report: DrillReport, { seed, minutes, boundMs, recoveryLimitMs }: DrillOptions): string {
  const { clients, happenings } = report
  const violations = (kind: string): number => clients.violationCount[kind] ?? 0
  const perSecond = Math.round(clients.operations / (clients.elapsedMs / 1_000))
  const lines = [
    `machine     ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${osType()} ${release()} ${arch()}, Node ${process.version}`,
    `drill       seed ${seed}, ${minutes === 'short' ? 'short' : `${minutes} minutes`}, bound H ${boundMs} ms, ${happenings.length} faults, well again within ${recoveryLimitMs} ms`,
    `operations  ${clients.operations} in ${Math.round(clients.elapsedMs / 1_000)} s (${perSecond}/s): ${pairs(clients.operationsByKind)}`,
    `answered by ${pairs(clients.answeredBy)}`,
    `states      ${pairs(clients.states)} (of the replica, per request)`,
    `tokens      ${pairs(clients.authChanges)}`,
    '',
    `acknowledged writes              ${clients.final.acknowledgedWrites}`,
    `writes lost                      ${clients.final.lostWrites.length}`,
    `reads beyond the bound           ${violations('a read beyond the bound')}`,
    `tokens accepted beyond the bound ${violations('a token accepted beyond the bound')}`,
    `documents compared at the end    ${clients.final.comparedDocuments}, different: ${clients.final.different.length}`,
    `hits looked at again             ${report.verified.confirmed} confirmed, ${report.verified.undecided} undecided, missed invalidations: ${report.verified.missed}`,
    '',
    'staleness: how long before a read began the oldest acknowledged write was acknowledged that the answer misses, ms',
    row('', ['judged', 'p50', 'p99', 'p99.9', 'max', 'missed one', 'their p50', 'p99', 'p99.9']),
    summaryRow('without faults', clients.quiet),
    summaryRow('with faults', clients.faulty),
    summaryRow('said to be stale', clients.admittedStale),
    summaryRow('tokens accepted late', clients.auth),
    '',
    row('by fault', ['operations', 'missed one', 'max ms', 'latency', 'recovery', 'errors']),
    ...Object.entries(clients.phases).flatMap(([name, counts]) => phaseRows(name, counts, report)),
    '',
    ...clients.violations.map((violation) => JSON.stringify(violation)),
    ...clients.final.lostWrites.map((write) => `lost: ${write}`),
    ...clients.final.different,
  ]
  const failures = broken(report)
  return [...lines, ...(failures.length === 0 ? ['Every promise held.'] : ['BROKEN:', ...failures])].join('\n')
}

function summaryRow(name: string, { count, p50, p99, p999, max, positive, behind }: Summary): string {
  return row(name, [count, p50, p99, p999, Math.ceil(max), positive, behind.p50, behind.p99, behind.p999])
}

function phaseRows(name: string, counts: PhaseCounts, { happenings }: DrillReport): string[] {
  const times = happenings
    .filter(({ fault }) => fault === name)
    .map(({ recoveryMs }) => recoveryMs ?? Number.POSITIVE_INFINITY)
  const slowest = times.length === 0 ? '' : `${Math.round(Math.max(...times))} ms`
  const errors = Object.values(counts.errors).reduce((sum, count) => sum + count, 0)
  const figures = [
    counts.operations,
    counts.behind,
    Math.ceil(counts.largestStalenessMs),
    Math.round(counts.largestLatencyMs),
    slowest,
    errors,
  ]
  return [row(name, figures), ...(errors > 0 ? [`    ${pairs(counts.errors)}`] : [])]
}

function row(name: string, figures: readonly (string | number)[]): string {
  return name.padEnd(44) + figures.map((figure) => String(figure).padStart(11)).join('')
}

function pairs(counts: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a)
  return sorted.map(([name, count]) => `${name} ${count}`).join(', ')
}
