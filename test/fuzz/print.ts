import { machine } from '../../bench/harness/machine.js'
import { type Limits, mib, type Report } from './fuzz.js'

export function printHeading({ requests, seed, atOnce }: Limits, against: string): void {
  console.log(`${machine()}\n${requests} requests, ${atOnce} at a time, --seed ${seed}, ${against}\n`)
}

/** What was asked and answered, by route, and every promise that did not hold. */
export function printReport(report: Report): void {
  const rows = [...report.statuses].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const width = Math.max(...rows.map(([route]) => route.length))
  for (const [route, counts] of rows) {
    const all = [...counts].toSorted(([a], [b]) => a - b)
    const total = all.reduce((sum, [, count]) => sum + count, 0)
    const words = all.map(([status, count]) => `${status === 0 ? 'none' : status}: ${count}`)
    console.log(`${route.padEnd(width)} ${String(total).padStart(7)}  ${words.join(', ')}`)
  }
  const { shots, answers, seconds, places, untouched, slowestMs, resident } = report
  console.log(
    `\n${shots} requests, ${answers} answers in ${seconds.toFixed(0)} s; the slowest took ${slowestMs.toFixed(0)} ms`,
  )
  console.log(`${places - untouched.length} of ${places} parameters and fields were given something hostile`)
  if (resident.length > 0) console.log(`resident memory, MiB: ${resident.map(mib).join(' ')}`)
  for (const { what, route, request, answer } of report.broken) {
    console.log(`\nbroken: ${what}\n  ${route}\n  ${JSON.stringify(request)}\n  ${answer}`)
  }
  console.log(
    report.brokenCount === 0 ? '\nEvery promise held.' : `\n${report.brokenCount} times a promise did not hold.`,
  )
}
