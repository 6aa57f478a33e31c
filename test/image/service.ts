import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../helpers/deadline.js'
import { freePort } from '../helpers/servers/servers.js'
import { type Image, startIn } from './build.js'

export const ADMIN_TOKEN = 'an-admin-token-of-the-image-check-0123456789'
const START_LIMIT_MS = 60_000
const ASK_EVERY_MS = 5
/** Jiffies a second on every Linux that Node runs on. */
const CLOCK_TICKS = 100

export interface Started {
  readonly url: string
  /** From the start of the process to the first 200 of the health route. */
  readonly firstAnswerMs: number
  /** Processor time until then: what the time would be on a machine with nothing else to do, about. */
  readonly processorMs: number
  /** The user that it runs as, as the kernel says. */
  readonly uid: number
  /** What it has written so far. */
  output(): string
  residentBytes(): number
  /** Sends SIGTERM; the exit code, or the signal that ended it. */
  terminate(): Promise<{ readonly code: number | string; readonly ms: number }>
  kill(): void
}

/** Starts the image's command and waits until it is healthy. */
export async function startService(
  image: Image,
  scratch: string,
  env: Readonly<Record<string, string>>,
): Promise<Started> {
  const port = await freePort()
  const startedAt = performance.now()
  const settings = { ADMIN_TOKENS: ADMIN_TOKEN, PORT: String(port), ...env }
  const child = startIn(image, scratch, image.command, settings)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>
  const of = (file: string): string => readFileSync(`/proc/${child.pid}/${file}`, 'utf8')
  const url = `http://127.0.0.1:${port}`
  const isHealthy = async (): Promise<boolean> =>
    child.exitCode !== null || (await fetch(`${url}/api/cache/health`)).status === 200
  await until(isHealthy, { timeoutMs: START_LIMIT_MS, intervalMs: ASK_EVERY_MS, describe: 'it is healthy' }).catch(
    (error) => {
      child.kill('SIGKILL')
      throw error
    },
  )
  const firstAnswerMs = performance.now() - startedAt
  if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}:\n${output}`)
  const [user = 0, system = 0] = (of('stat').split(') ')[1] ?? '').split(' ').slice(11, 13).map(Number)
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(of('status'))?.[1])
  return {
    url,
    firstAnswerMs,
    processorMs: ((user + system) * 1_000) / CLOCK_TICKS,
    uid: field('Uid'),
    output: () => output,
    residentBytes: () => field('VmRSS') * 1_024,
    async terminate() {
      const saidAt = performance.now()
      child.kill('SIGTERM')
      const limit = sleep(20_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))
      const [code, signal] = await Promise.race([ended, limit.then(() => ended)])
      return { code: code ?? signal ?? 'nothing', ms: performance.now() - saidAt }
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

/** A user, a token, a design, and the design read twice: what each was answered, `hit` at the end. */
export async function firstSession(url: string): Promise<string[]> {
  const ask = async (method: string, path: string, token: string, body?: object): Promise<Response> =>
    fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
  const json = async (response: Response): Promise<Record<string, string>> =>
    (await response.json()) as Record<string, string>
  const email = `${performance.now()}@example.com`
  const user = await ask('POST', '/api/users', ADMIN_TOKEN, { email, shop_name: 'Image' })
  const { id } = await json(user)
  const issued = await ask('POST', `/api/users/${id}/tokens`, ADMIN_TOKEN, { name: 'first' })
  const { token = '' } = await json(issued)
  const design = { filename: 'fox.png', file_path: '/designs/fox.png', platform: 'etsy' }
  const made = await ask('POST', '/api/designs', token, design)
  const path = `/api/designs/${(await json(made)).id}`
  await until(async () => (await ask('GET', path, token)).headers.get('cache-status')?.includes('; hit'), {
    timeoutMs: 10_000,
    describe: 'a design is answered from the cache',
  })
  return [user, issued, made].map(({ status }) => String(status)).concat('hit')
}
