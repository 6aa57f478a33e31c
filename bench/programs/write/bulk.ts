import { designBody } from '../../http/catalogue.js'
import { withReplicas } from '../../http/replicas.js'
import type { Benchmark, Row, Table } from '../../harness/benchmark.js'
import { ratioOf, spreadOf } from '../../harness/statistics.js'
import { HttpConnection } from '../../../test/helpers/http-connection.js'

const ROWS = 1_000
const CONNECTIONS = 8
/** What a bulk is to take of the time of as many requests. */
const TIMES_FASTER = 20

export const benchmark: Benchmark = {
  title: 'creating rows one by one, and in one bulk',
  parameters: { rows: ROWS },
  run: ({ rounds, isSmoke }) =>
    withReplicas({ shops: 1, designsEach: 1 }, async ({ servers, shops, note }) => {
      const [{ token } = { token: '' }] = shops
      const [{ port } = { port: 0 }] = servers
      const all = Array.from({ length: CONNECTIONS }, () => new HttpConnection(port, { token }))
      const count = isSmoke ? 20 : ROWS
      const tables: Table[] = []
      for (const body of [designBody, shortBody, leastBody]) {
        const ways: readonly Way[] = [
          { name: 'one POST after the other', take: () => posts(all.slice(0, 1), body, count) },
          { name: `POSTs over ${CONNECTIONS} connections`, take: () => posts(all, body, count) },
          { name: 'one bulk', take: () => bulk(all[0]!, body, count) },
        ]
        const rates = await ratesOf(ways, count, rounds)
        tables.push({
          title: `rows a second, of ${JSON.stringify(body(made)).length} bytes`,
          floor: ways[0]!.name,
          rows: ways.map((_, at) => rowOf(ways, rates, at)),
          notes: ['Every row is another one; the table grows with each turn.', note],
        })
      }
      for (const connection of all) connection.close()
      return tables
    }),
}

type Body = (n: number) => object

/** With a line for a description, where that of {@link designBody} is a page. */
function shortBody(n: number): object {
  return { ...designBody(n), description: 'A fox in the snow', tags: ['fox', 'snow'] }
}

/** What no design can do without. */
function leastBody(n: number): object {
  return { filename: `design-${n}.png`, file_path: `designs/design-${n}.png`, platform: 'etsy' }
}

interface Way {
  readonly name: string
  readonly take: () => Promise<void>
}

/** Of each, a turn a round: rows a second. */
async function ratesOf(ways: readonly Way[], count: number, rounds: number): Promise<number[][]> {
  const rates = ways.map((): number[] => [])
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const at = (round + turn) % ways.length
      const beganAt = performance.now()
      await ways[at]?.take()
      if (round > 0) rates[at]?.push((count * 1_000) / (performance.now() - beganAt))
    }
  }
  return rates
}

function rowOf(ways: readonly Way[], rates: readonly number[][], at: number): Row {
  const [own, floor] = [rates[at] ?? [], rates[0] ?? []]
  const isBulk = at === ways.length - 1
  return {
    name: ways[at]?.name ?? '',
    value: spreadOf(own),
    unit: 'rows/s',
    ...(at > 0 && { ratio: ratioOf(own, floor) }),
    ...(isBulk && { target: { of: 'ratio', atLeast: TIMES_FASTER } }),
  }
}

let made = 0

async function posts(connections: readonly HttpConnection[], body: Body, count: number): Promise<void> {
  let left = count
  await Promise.all(
    connections.map(async (connection) => {
      while (left > 0) {
        left -= 1
        await answered(connection, '/api/designs', body(made++), 201)
      }
    }),
  )
}

async function bulk(connection: HttpConnection, body: Body, count: number): Promise<void> {
  const operations = Array.from({ length: count }, () => ({ op: 'create', row: body(made++) }))
  await answered(connection, '/api/designs/bulk', { operations }, 200)
}

async function answered(connection: HttpConnection, path: string, body: object, wanted: number): Promise<void> {
  const { status, text } = await connection.send({ method: 'POST', path, body })
  if (status !== wanted) throw new Error(`POST ${path}: ${status} ${text.slice(0, 200)}`)
}
