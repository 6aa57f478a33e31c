import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpConnection } from '../../helpers/http-connection.js'
import { until } from '../../helpers/deadline.js'
import { exchange, type RawAnswer } from '../../helpers/raw-http.js'
import { atMost, exactly, ordeal, resultOf, round, type Scene } from './scene.js'
import { ADMIN_TOKEN, type OverloadStage, residentMB } from './stage.js'
import { get, missesOf, patch } from './tenants.js'

const HIT_SHARE = 0.25
const [SLOW_READERS, LISTS_EACH] = [100, 20]
/** The service gives up a client that takes nothing for 60 s, and looks every 2 s. */
const CUT_OFF_LIMIT_SECONDS = 68
const GONE = 400
/** An answer to what is too large waits for nothing. */
const REFUSAL_LIMIT_MS = 1_000

/** A hundred clients ask for twenty lists of half a MiB each and read nothing of them. */
export const slowReader: Scene = {
  name: 'slow-reader',
  async run(stage) {
    const before = residentMB(stage.service.pid)
    const request = stage.cast.large.map((tenant) => get('/api/designs?limit=100', tenant)).join('')
    let [cutOff, firstMs, lastMs, mb] = [0, Number.POSITIVE_INFINITY, 0, 0]
    const ended = await ordeal(stage, HIT_SHARE, async () => {
      const startedAt = performance.now()
      const sockets = Array.from({ length: SLOW_READERS }, () => {
        const socket = connect(stage.service.port, '127.0.0.1').pause()
        socket.on('error', () => {})
        socket.write(request.repeat(LISTS_EACH / stage.cast.large.length))
        return socket
      })
      await sleep(stage.options.seconds * 1_000)
      mb = residentMB(stage.service.pid) - before
      const isOver = (): boolean => performance.now() - startedAt > CUT_OFF_LIMIT_SECONDS * 1_000
      while (cutOff < SLOW_READERS && !isOver()) {
        await sleep(500)
        cutOff = SLOW_READERS - (await openConnections(stage, sockets))
        const ms = performance.now() - startedAt
        if (cutOff > 0) firstMs = Math.min(firstMs, ms)
        lastMs = ms
      }
      for (const socket of sockets) socket.destroy()
    })
    const promises = [
      exactly('slow readers that were cut off', cutOff, SLOW_READERS),
      atMost('the last of them after', lastMs / 1_000, CUT_OFF_LIMIT_SECONDS, 's'),
    ]
    return resultOf(ended, promises, [
      `${round(mb)} MB more for ${SLOW_READERS} clients that read nothing; the first cut off after ${round(firstMs / 1_000)} s`,
    ])
  },
}

/** A client that reads nothing does not hear of the end: the service's own side is looked at. */
async function openConnections({ service }: OverloadStage, sockets: readonly Socket[]): Promise<number> {
  const ports = new Set(sockets.map(({ localPort }) => localPort))
  const { readFile } = await import('node:fs/promises')
  const lines = (await readFile(`/proc/${service.pid}/net/tcp`, 'utf8')).split('\n').slice(1)
  const ESTABLISHED = '01'
  const isOurs = (line: string): boolean => {
    const [, local = '', remote = '', state] = line.trim().split(/\s+/)
    return state === ESTABLISHED && portOf(local) === service.port && ports.has(portOf(remote))
  }
  return lines.filter(isOurs).length
}

function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16)
}

/** Clients ask for what is not cached, and are gone before they are answered: nothing of it may stay. */
export const goneClients: Scene = {
  name: 'gone-clients',
  async run(stage) {
    const admin = new HttpConnection(stage.service.port, { token: ADMIN_TOKEN })
    let [mostWaiting, leftAfterMs] = [0, Number.POSITIVE_INFINITY]
    const ended = await ordeal(stage, HIT_SHARE, async () => {
      const unlock = await stage.lock('designs')
      const requests = missesOf(stage.cast.flooders)
      const sockets = await Promise.all(
        Array.from({ length: GONE }, async (_, n) => {
          const socket = connect(stage.service.port, '127.0.0.1').on('error', () => {})
          await once(socket, 'connect')
          socket.write((requests[n % requests.length] ?? '').replace('{n}', String(990_000_000 + n)))
          return socket
        }),
      )
      await sleep(300)
      mostWaiting = await inDatabase(admin)
      for (const socket of sockets) socket.destroy()
      await unlock()
      const goneAt = performance.now()
      // Two of everyday's requests may be there at the time of a look.
      await until(async () => (await inDatabase(admin)) <= 2, {
        timeoutMs: 10_000,
        intervalMs: 50,
        describe: 'it ends',
      })
      leftAfterMs = performance.now() - goneAt
    })
    admin.close()
    const promises = [atMost('their loads finished or cancelled after', leftAfterMs, 5_000, 'ms')]
    return resultOf(ended, promises, [`${GONE} clients went away; ${mostWaiting} loads had or waited for a connection`])
  },
}

/** Connections of the pool in use, and who waits for one. */
async function inDatabase(admin: HttpConnection): Promise<number> {
  const { text } = await admin.get('/metrics')
  const value = (pattern: RegExp): number => Number(pattern.exec(text)?.[1])
  const waiting = value(/^roundhouse_database_pool_waiting\S* (\d+)/m)
  return waiting + value(/^roundhouse_database_pool_connections\S*state="used"\S* (\d+)/m)
}

/** Bodies of 8 MiB, announced and not announced, and heads of 128 KiB, on twenty connections all the time. */
export const tooLarge: Scene = {
  name: 'too-large',
  async run(stage) {
    const [tenant] = stage.cast.others
    if (tenant === undefined) throw new Error('There is a tenant')
    const path = `/api/designs/${tenant.designIds[0]}`
    const chunk = Buffer.alloc(65_536, 'a')
    const head = patch(path, tenant, '').split('Content-Length')[0] ?? ''
    const kinds: Record<string, readonly Buffer[]> = {
      'announced body': [Buffer.from(`${head}Content-Length: ${128 * chunk.length}\r\n\r\n`), ...chunks(chunk)],
      'chunked body': [
        Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`),
        ...chunks(Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')])),
      ],
      head: [Buffer.from(get(path, tenant, `X-Large: ${'a'.repeat(131_072)}\r\n`))],
    }
    const statuses: Record<string, Record<string, number>> = {}
    const ms: number[] = []
    const ended = await ordeal(stage, HIT_SHARE, async () => {
      const until = performance.now() + stage.options.seconds * 1_000
      const work = Object.entries(kinds).flatMap(([kind, bytes]) =>
        Array.from({ length: 7 }, async () => {
          while (performance.now() < until) {
            const from = performance.now()
            const answer = await exchange(stage.service.port, bytes, 50).catch((): RawAnswer | undefined => undefined)
            if (answer !== undefined) ms.push(performance.now() - from)
            const found = (statuses[kind] ??= {})
            const status = answer === undefined ? 'reset' : String(answer.status)
            found[status] = (found[status] ?? 0) + 1
          }
        }),
      )
      await Promise.all(work)
    })
    const wrong = Object.entries(statuses).flatMap(([kind, found]) =>
      Object.entries(found).filter(([status]) => status !== (kind === 'head' ? '431' : '413')),
    )
    ms.sort((a, b) => a - b)
    const promises = [
      exactly('answered with anything but 413, 431', sum(wrong.map(([, count]) => count)), 0),
      atMost(
        'until the refusal had come and the connection ended, p99',
        ms[Math.floor(0.99 * ms.length)] ?? 0,
        REFUSAL_LIMIT_MS + 1_000,
        'ms',
      ),
    ]
    const notes = Object.entries(statuses).map(([kind, found]) => `${kind}: ${JSON.stringify(found)}`)
    return resultOf(ended, promises, notes)
  },
}

function chunks(chunk: Buffer): Buffer[] {
  return Array.from({ length: 128 }, () => chunk)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
