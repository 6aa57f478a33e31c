import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import type { Config } from '../../../plugins/config.js'
import type { Database } from '../../../services/database/index.js'
import { PostgresConnector } from '../../../services/database/postgres/connector.js'
import { type Findings, ok, type Seen, warning } from './finding.js'

const CONNECT_MS = 3_000
const STEP_MS = 2_000
const NEWS_MS = 2_000

type Pooling = 'none' | 'session' | 'transaction'

/** What is between here and the server, and whether news come through. */
export async function lookAtSessions(findings: Findings, database: Database, config: Config): Promise<void> {
  let pooling: Pooling = 'none'
  await findings.look('pooler', async () => {
    pooling = await poolingOf(config.databaseUrl ?? '')
    return seenOf(pooling, config.databaseUnpooledUrl !== undefined)
  })
  await findings.look('LISTEN', () => news(database, pooling))
}

function seenOf(pooling: Pooling, hasUnpooled: boolean): Seen {
  switch (pooling) {
    case 'none':
      return ok('there is none between here and the server')
    case 'session':
      return ok('one is in between, and a connection keeps its session')
    case 'transaction':
      return hasUnpooled
        ? ok('one is in between, by transaction; DATABASE_UNPOOLED_URL leads past it')
        : warning(
            'one is in between that gives each transaction another session: LISTEN does not work through it',
            'set DATABASE_UNPOOLED_URL to the same database past the pooler',
          )
  }
}

/** A pooler tells a process of its own at the start. One that pools by transaction takes another session while the first has other work. */
async function poolingOf(url: string): Promise<Pooling> {
  const connector = new PostgresConnector({ url, connectTimeoutMs: CONNECT_MS, home: { schema: undefined } })
  const [one, two] = [await connector.connect(STEP_MS), await connector.connect(STEP_MS)]
  try {
    const first = await backendOf(one)
    // pg keeps what the server told at the start, and has no type for it.
    if (Reflect.get(one, 'processID') === first) return 'none'
    const taken = await two.query('begin').then(
      () => backendOf(two),
      () => undefined,
    )
    if (taken === undefined) return 'session'
    return (await backendOf(one)) === first && taken !== first ? 'session' : 'transaction'
  } finally {
    await Promise.all([one, two].map((client) => client.end().catch(() => {})))
  }
}

async function backendOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid ?? 0
}

async function news(database: Database, pooling: Pooling): Promise<Seen> {
  const channel = `roundhouse_doctor_${randomBytes(6).toString('hex')}`
  let heard = (): void => {}
  const arrived = new Promise<true>((resolve) => (heard = () => resolve(true)))
  const session = await database.listen(channel, heard)
  let timer: NodeJS.Timeout | undefined
  try {
    const startedAt = performance.now()
    await database.query({ name: 'doctor.notify', text: `select pg_notify($1, '')`, values: [channel] })
    const overdue = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), NEWS_MS)))
    if (await Promise.race([arrived, overdue])) {
      return ok(`news arrive after ${Math.round(performance.now() - startedAt)} ms`)
    }
    const change =
      pooling === 'transaction'
        ? 'set DATABASE_UNPOOLED_URL to the same database past the pooler'
        : 'is DATABASE_UNPOOLED_URL the same database, past every pooler?'
    return warning('no news arrive: replicas hear of each other’s writes by asking, within the staleness bound', change)
  } finally {
    clearTimeout(timer)
    await session.close().catch(() => {})
  }
}
