import { OURS, PEERS } from '../contenders/names.js'
import type { Row, Table } from './benchmark.js'
import { figure } from './print.js'

/** What came out of one benchmark. */
interface Measured {
  readonly name: string
  readonly tables: readonly Table[]
}

/** All that was measured beside other caches, a line for each work: ours, the floor, every peer, and who is ahead. `undefined`: nothing was. */
export function againstPeers(results: readonly Measured[]): string | undefined {
  const lines = results
    .flatMap(({ name, tables }) => tables.map((table) => lineOf(name, table)))
    .filter((line) => line !== undefined)
  if (lines.length === 0) return undefined
  const head = ['', OURS, 'floor', ...PEERS, '']
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function lineOf(benchmark: string, { title, floor, rows, whyBehind }: Table): string[] | undefined {
  const ours = rows.find(({ name }) => name === OURS || name.startsWith(`${OURS},`))
  const peers = PEERS.map((peer) => rows.find(({ name }) => name === peer))
  if (ours === undefined || peers.every((peer) => peer === undefined)) return undefined
  const cell = (row: Row | undefined): string => (row === undefined ? '' : `${figure(row.value.median)} ${row.unit}`)
  const ahead = peers.filter((peer) => peer !== undefined).filter((peer) => isBetter(peer, ours))
  const why = whyBehind ?? 'the line does not say why'
  const verdict = ahead.length === 0 ? 'ahead' : `behind ${ahead.map(({ name }) => name).join(', ')}: ${why}`
  return [
    `${benchmark}: ${title}`,
    cell(ours),
    cell(rows.find(({ name }) => name === floor)),
    ...peers.map((peer) => cell(peer)),
    verdict,
  ]
}

/** Of rates more is better, of times, bytes and loads less. A fiftieth is no difference here. */
function isBetter({ value, unit }: Row, than: Row): boolean {
  const [one, other] = [value.median, than.value.median]
  return unit === '/s' ? one > other * 1.02 : one < other / 1.02
}
