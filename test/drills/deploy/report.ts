import { arch, cpus, release, totalmem, type as osType } from 'node:os'
import type { PhaseCounts } from '../ledger.js'
import { type DeployOptions, type DeployReport, REPLICAS } from './drill.js'

/** The figures of all replicas come every second; a reader who has to connect anew may miss some. */
const LONGEST_GAP_MS = 5_000

/** Each promise that the drill saw broken, in words; empty when all held. */
export function broken({ clients, deploys, evidence }: DeployReport): string[] {
  const { violationCount, final, flaws, watched } = clients
  const failed = failedOf(clients.phases)
  const ends = deploys.flatMap((deploy) => deploy.ends.map(({ how, ms }) => ({ how, ms, name: deploy.name })))
  return [
    ...(failed > 0 ? [`${failed} requests failed`] : []),
    ...Object.entries(violationCount).map(([kind, count]) => `${count} × ${kind}`),
    ...(final.lostWrites.length > 0 ? [`${final.lostWrites.length} acknowledged writes lost`] : []),
    ...(final.different.length > 0 ? [`${final.different.length} answers differ from PostgreSQL at the end`] : []),
    ...(flaws.length > 0 ? [`${flaws.length} changes missed by a stream or told twice`] : []),
    ...(watched.longestGapMs > LONGEST_GAP_MS ? [`no live figures for ${Math.round(watched.longestGapMs)} ms`] : []),
    ...ends
      .filter(({ how }) => how !== 'exit code 0')
      .map(({ name, how }) => `${name}: an old replica ended by ${how}`),
    ...Object.entries(evidence).flatMap(([what, proof]) => (proof === undefined ? [`did not happen: ${what}`] : [])),
  ]
}

/** The whole result as text. */
export function reportText(report: DeployReport, options: DeployOptions): string {
  const { clients, deploys, evidence } = report
  const { seed, rate, boundMs, overlapMs, drainingSeconds } = options
  const perSecond = Math.round(clients.operations / (clients.elapsedMs / 1_000))
  const { watched } = clients
  const lines = [
    `machine     ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${osType()} ${release()} ${arch()}, Node ${process.version}`,
    `drill       seed ${seed}, ${rate}/s through the balancer, bound H ${boundMs} ms, ${REPLICAS} replicas, overlap ${overlapMs / 1_000} s, draining ${drainingSeconds} s`,
    `operations  ${clients.operations} in ${Math.round(clients.elapsedMs / 1_000)} s (${perSecond}/s): ${pairs(clients.operationsByKind)}`,
    `streams     changes: ${clients.changes} heard, resumed ${clients.resumed} times; figures: ${watched.events}, resumed ${watched.resumed} times, longest gap ${Math.round(watched.longestGapMs)} ms`,
    `tokens      ${pairs(clients.authChanges)}`,
    ...deploys.map(
      ({ name, lagMs, ends }) =>
        `${name.padEnd(11)} balancer's lag ${lagMs.join(' and ')} ms; ended: ${ends.map(({ how, ms }) => `${how} after ${(ms / 1_000).toFixed(1)} s`).join(', ')}`,
    ),
    ...Object.entries(evidence).map(([what, proof]) => `${what}: ${proof ?? 'NO'}`),
    '',
    `requests failed                  ${failedOf(clients.phases)}`,
    `acknowledged writes              ${clients.final.acknowledgedWrites}, of them slow uploads ${clients.uploads}`,
    `writes lost                      ${clients.final.lostWrites.length}`,
    `reads beyond the bound           ${clients.violationCount['a read beyond the bound'] ?? 0}`,
    `tokens accepted beyond the bound ${clients.violationCount['a token accepted beyond the bound'] ?? 0}`,
    `changes missed or told twice     ${clients.flaws.length}`,
    `documents compared at the end    ${clients.final.comparedDocuments}, different: ${clients.final.different.length}`,
    '',
    row('step', ['operations', 'failed', 'missed one', 'max ms', 'latency']),
    ...Object.entries(clients.phases).flatMap(([name, counts]) => phaseRows(name, counts)),
    '',
    ...clients.failures.map((failure) => `failed: ${failure.slice(0, 160)}`),
    ...clients.violations.map((violation) => JSON.stringify(violation)),
    ...clients.final.lostWrites.map((write) => `lost: ${write}`),
    ...clients.final.different,
    ...clients.flaws.slice(0, 20),
    ...report.errorLines.slice(0, 20),
  ]
  const failures = broken(report)
  return [...lines, ...(failures.length === 0 ? ['Every promise held.'] : ['BROKEN:', ...failures])].join('\n')
}

function failedOf(phases: Readonly<Record<string, PhaseCounts>>): number {
  return Object.values(phases)
    .flatMap(({ errors }) => Object.values(errors))
    .reduce((sum, count) => sum + count, 0)
}

function phaseRows(name: string, counts: PhaseCounts): string[] {
  const failed = failedOf({ [name]: counts })
  const { operations, behind, largestStalenessMs, largestLatencyMs, errors } = counts
  const figures = [operations, failed, behind, Math.ceil(largestStalenessMs), Math.round(largestLatencyMs)]
  return [row(name, figures), ...(failed > 0 ? [`    ${pairs(errors)}`] : [])]
}

function row(name: string, figures: readonly (string | number)[]): string {
  return name.padEnd(34) + figures.map((figure) => String(figure).padStart(11)).join('')
}

function pairs(counts: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a)
  return sorted.map(([name, count]) => `${name} ${count}`).join(', ')
}
