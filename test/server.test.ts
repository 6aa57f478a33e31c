import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { until } from './helpers/deadline.js'
import { HttpConnection } from './helpers/http-connection.js'
import { preparedPgliteDir } from './helpers/pglite.js'
import { freePort } from './helpers/servers/servers.js'
import { ServiceProcess } from './helpers/service-process.js'

async function ask(port: number, agent: Agent): Promise<IncomingMessage> {
  const [response]: IncomingMessage[] = await once(get({ port, path: '/api/cache/health', agent }), 'response')
  if (response === undefined) throw new Error('no response')
  response.resume()
  await once(response, 'end')
  return response
}

t.test('a faulty environment is listed on stderr, and ends the process with 1', async (t) => {
  const service = new ServiceProcess(t, { PORT: 'http', NODE_ENV: 'production', REDIS_URL: '${{Redis.REDIS_URL}}' })
  t.equal(await service.ended(), 1)
  const expected = [
    '4 faults',
    'PORT must be',
    'ADMIN_TOKENS is required',
    'DATABASE_URL is required',
    'REDIS_URL holds a',
  ]
  for (const line of expected) t.match(service.errors, line)
  t.equal(service.output.trim().split('\n').length, 5, 'one line each, below how many there are')
})

t.test('a port in use is named, and ends the process with 1', async (t) => {
  const other = createServer().listen(0, '::')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const service = new ServiceProcess(t, { PORT: String(port), DATA_DIR: await preparedPgliteDir() })
  t.equal(await service.ended(), 1)
  t.match(service.errors, `PORT ${port} is in use`)
})

t.test('after SIGTERM a replica serves on for a third of the draining time, then ends with 0', async (t) => {
  const port = await freePort()
  const env = { PORT: String(port), DATA_DIR: await preparedPgliteDir(), RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '6' }
  const service = new ServiceProcess(t, env)
  await service.listening()
  const agent = new Agent({ keepAlive: true })
  t.equal((await ask(port, agent)).headers.connection, 'keep-alive')

  service.kill('SIGTERM')
  await until(() => service.output.includes('SIGTERM: closing'), { describe: 'the signal is heard' })
  const answer = await ask(port, agent)
  t.equal(answer.statusCode, 200)
  t.equal(answer.headers.connection, 'close', 'the next request goes to another replica')
  t.equal(await service.ended(), 0)
  agent.destroy()
})

/** A server that closes takes a connection that has been quiet for 2 s for one that nobody uses. */
const QUIET_MS = 1_500

/** Asks again and again on one kept connection, until an answer says that it ends; what went wrong, or ''. */
async function askUntilTold(port: number, pauseMs: number, onAnswer: () => void): Promise<string> {
  const connection = new HttpConnection(port, { keepAliveMs: 60_000 })
  let [before, sentAt] = [0, 0]
  try {
    for (;;) {
      before = sentAt
      sentAt = performance.now()
      const answer = await connection.get('/api/cache/health')
      onAnswer()
      if (answer.status !== 200) return String(answer.status)
      if (answer.header('connection') === 'close') return ''
      await sleep(Math.random() * pauseMs)
    }
  } catch (error) {
    // On a busy machine this process gets to its next request late.
    return sentAt - before > QUIET_MS ? '' : String(error)
  } finally {
    connection.close()
  }
}

t.test('where nobody says how long it may take, SIGTERM breaks no kept connection either', async (t) => {
  const port = await freePort()
  const service = new ServiceProcess(t, { PORT: String(port), DATA_DIR: await preparedPgliteDir() })
  await service.listening()
  const answers = Array.from({ length: 60 }, () => 0)
  const clients = answers.map((_, n) => askUntilTold(port, n * 10, () => (answers[n] = (answers[n] ?? 0) + 1)))
  await until(() => answers.every((count) => count > 1), { describe: 'all connections are kept' })
  service.kill('SIGTERM')
  t.same((await Promise.all(clients)).filter(Boolean), [], 'no reset, and no other answer')
  t.equal(await service.ended(), 0)
})

t.test('after SIGTERM nobody who is slow holds up the end', async (t) => {
  const port = await freePort()
  const env = { PORT: String(port), DATA_DIR: await preparedPgliteDir(), RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '6' }
  const service = new ServiceProcess(t, env)
  await service.listening()
  for (const begin of [
    'GET / HTTP/1.1\r\n',
    'POST /api/designs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{',
    'POST /api/designs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n',
  ]) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(begin)
    const drip = setInterval(() => socket.write('1\r\n \r\n'), 50)
    t.teardown(() => clearInterval(drip))
    await once(socket, 'connect')
  }
  service.kill('SIGTERM')
  t.equal(await service.ended(), 0)
})

t.test('Ctrl-C closes at once, also when npm hands it on a second time', async (t) => {
  const port = await freePort()
  const service = new ServiceProcess(t, {
    PORT: String(port),
    DATA_DIR: await preparedPgliteDir(),
    RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '60',
  })
  await service.listening()
  service.kill('SIGINT')
  service.kill('SIGINT')
  t.equal(await service.ended(), 0)
})

t.test('a second service on the same folder says who has it, in one line', async (t) => {
  const DATA_DIR = await preparedPgliteDir()
  const first = new ServiceProcess(t, { PORT: '0', DATA_DIR })
  await first.listening()
  const second = new ServiceProcess(t, { PORT: '0', DATA_DIR })
  t.equal(await second.ended(), 1)
  t.match(
    second.errors,
    new RegExp(`^The service could not start: Process ${first.pid} has the embedded database.*\n$`),
  )
  first.kill('SIGKILL')
  await first.ended()
  const third = new ServiceProcess(t, { PORT: '0', DATA_DIR })
  await third.listening()
})
