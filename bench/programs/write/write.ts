import type { Benchmark, Settings, Table } from '../../harness/benchmark.js'
import { type ContenderProcess, sibling } from '../../harness/contender-process.js'
import { startDurablePostgres } from '../../harness/machine.js'
import { figure } from '../../harness/print.js'
import { interleave, withContenders } from '../../harness/rounds.js'
import { rateRows } from '../../harness/rows.js'
import { ratioOf, spreadOf } from '../../harness/statistics.js'
import { startRedis } from '../../../test/helpers/servers/redis.js'

const MODULE = sibling(import.meta.url, '../../contenders/writes')
const OURS = 'coherent write'
const ONE_USER = 'coherent write, all of one user'
const TRANSACTION = 'begin; update; commit'
const STATEMENT = 'one update'
const OTHERS = 'another table'
/** A commit to disk takes its time. */
const TURN_FACTOR = 3
/** By the number of clients: against the transaction, and against the one statement. */
const TARGETS: Readonly<Record<string, readonly [number, number]>> = {
  '1': [0.8, 0.5],
  '8': [0.8, 0.6],
  '32': [0.8, 0.6],
}
const MOST_CLIENTS = '32'

export const benchmark: Benchmark = {
  title: 'what coherence costs a write, against the same rows without it, and its neighbours',
  parameters: { 'pool (connections)': 32 },
  run: async (settings) => {
    const { postgres, note } = await startDurablePostgres()
    const redis = await startRedis()
    const parameters = { databaseUrl: await postgres.createDatabase(), redisUrl: redis.url }
    const names = [OURS, ONE_USER, TRANSACTION, STATEMENT, OTHERS]
    const longer = { ...settings, roundMs: settings.roundMs * TURN_FACTOR }
    try {
      return await withContenders({ module: MODULE, names, parameters }, async (all) => {
        const found: Table[] = []
        for (const [clients, bounds] of Object.entries(TARGETS)) {
          found.push(...(await against(longer, all, clients, bounds)))
        }
        found.push(await ofOneUser(longer, all), await besideOthers(longer, all))
        return found.map((table) => ({ ...table, notes: [...(table.notes ?? []), note] }))
      })
    } finally {
      await redis.stop()
      await postgres.stop()
    }
  },
}

function named(all: readonly ContenderProcess[], ...names: readonly string[]): ContenderProcess[] {
  return all.filter(({ name }) => names.includes(name))
}

async function against(
  settings: Settings,
  all: readonly ContenderProcess[],
  clients: string,
  [ofTransaction, ofStatement]: readonly [number, number],
): Promise<Table[]> {
  const samples = await interleave(named(all, OURS, TRANSACTION, STATEMENT), { turn: clients, settings })
  const who = clients === '1' ? '1 client' : `${clients} clients, a user each`
  const table = (floor: string, atLeast: number, left: string): Table => {
    const rows = rateRows(samples, { floor, targets: { [OURS]: { of: 'ratio', atLeast } } })
    return { title: `${who}, against ${floor}`, floor, rows: rows.filter(({ name }) => name !== left) }
  }
  return [table(TRANSACTION, ofTransaction, STATEMENT), table(STATEMENT, ofStatement, TRANSACTION)]
}

async function ofOneUser(settings: Settings, all: readonly ContenderProcess[]): Promise<Table> {
  const samples = await interleave(named(all, OURS, ONE_USER), { turn: MOST_CLIENTS, settings })
  return {
    title: `${MOST_CLIENTS} clients, all of one user`,
    floor: `${OURS}, a user each`,
    rows: rateRows(samples, { floor: OURS, targets: { [ONE_USER]: { of: 'ratio', atLeast: 0.9 } } }),
  }
}

/** What another table of the server commits while ours is written at full speed, and while plain writes run as fast as those did. */
async function besideOthers({ rounds, roundMs }: Settings, all: readonly ContenderProcess[]): Promise<Table> {
  const [ours, plain, others] = [OURS, TRANSACTION, OTHERS].map((wanted) => named(all, wanted)[0])
  if (ours === undefined || plain === undefined || others === undefined) throw new Error('All of them have been opened')
  const beside = async (writer: ContenderProcess, perSecond?: number): Promise<{ own: number; left: number }> => {
    const [own, left] = await Promise.all([
      writer.turn(MOST_CLIENTS, roundMs, perSecond === undefined ? {} : { perSecond }),
      others.turn('8', roundMs),
    ])
    return { own: own['rate'] ?? Number.NaN, left: left['rate'] ?? Number.NaN }
  }
  const besideOurs: { own: number; left: number }[] = []
  const besidePlain: { own: number; left: number }[] = []
  for (let round = 0; round <= rounds; round++) {
    const first = await beside(ours)
    const second = await beside(plain, first.own)
    if (round === 0) continue
    besideOurs.push(first)
    besidePlain.push(second)
  }
  const left = (found: readonly { left: number }[]): number[] => found.map((one) => one.left)
  const speed = (found: readonly { own: number }[]): string =>
    `beside ${figure(spreadOf(found.map(({ own }) => own)).median)} writes/s`
  return {
    title: `commits of another table (8 clients) while ${MOST_CLIENTS} clients write`,
    floor: 'beside plain writes at the same speed',
    rows: [
      {
        name: `beside: ${OURS}, at full speed`,
        value: spreadOf(left(besideOurs)),
        unit: '/s',
        ratio: ratioOf(left(besideOurs), left(besidePlain)),
        target: { of: 'ratio', atLeast: 0.95 },
        note: speed(besideOurs),
      },
      {
        name: `beside: ${TRANSACTION}, slowed down`,
        value: spreadOf(left(besidePlain)),
        unit: '/s',
        note: speed(besidePlain),
      },
    ],
  }
}
