import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ADMIN_TOKEN, startService, type UserCaller } from '../../../helpers/app.js'
import { EventConnection } from '../../../helpers/changes/followers.js'
import { until } from '../../../helpers/deadline.js'
import { exchange } from '../../../helpers/raw-http.js'
import { ServiceProcess } from '../../../helpers/service-process.js'
import { temporaryDirectory } from '../../../helpers/servers/servers.js'

const DESIGN = { filename: 'fox.png', file_path: '/fox.png', platform: 'etsy' }

t.setTimeout(120_000)

async function listening(t: Test) {
  const service = await startService(t, { isEmbedded: true })
  const port = Number(new URL(await service.app.listen({ port: 0, host: '127.0.0.1' })).port)
  const connect = async (user: UserCaller, lastId = '', query = '') => {
    const connection = new EventConnection(lastId)
    t.teardown(() => connection.cut())
    return { connection, status: await connection.open(port, user.token, { query }) }
  }
  return { ...service, port, connect }
}

t.test('each change is an event, at once, and the id of the last one is where it goes on', async (t) => {
  const { app, newUser, connect } = await listening(t)
  const [user, other] = [await newUser(), await newUser()]
  const { connection, status } = await connect(user)
  t.equal(status, 200)
  t.match(connection.response.headers, {
    'content-type': /^text\/event-stream/,
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  })
  await until(() => connection.lastId !== '', { describe: 'an id before anything has changed' })
  const { body: design } = await user.post('/api/designs', DESIGN)
  const writtenAt = performance.now()
  await until(() => connection.events.length === 1, { describe: 'it is heard' })
  t.ok(performance.now() - writtenAt < 3_000, 'without waiting for the next look of its own')
  t.same(JSON.parse(connection.events[0]!.data), {
    resource: 'designs',
    id: design.id,
    kind: 'changed',
    row: design,
  })
  await other.post('/api/designs', DESIGN)
  connection.cut()
  await until(() => app.changeStreams.count === 0, { describe: 'a reader who has gone costs nothing' })

  await user.patch(`/api/designs/${design.id}`, { description: 'red' })
  await user.delete(`/api/designs/${design.id}`)
  const { body: next } = await user.post('/api/designs', DESIGN)
  const { connection: again } = await connect(user, connection.lastId)
  await until(() => again.events.length === 2, { describe: 'what was missed' })
  await sleep(200)
  t.same(
    again.events.map(({ data }) => JSON.parse(data)).map(({ kind, id }) => [kind, id]),
    [
      ['deleted', design.id],
      ['changed', next.id],
    ],
  )
  const { connection: bySince } = await connect(user, '', `?since=${connection.lastId}`)
  await until(() => bySince.events.length === 2, { describe: 'since does the same' })
})

t.test('JSON that somebody wrote by SQL over several lines is one event, and one line of an export', async (t) => {
  const { app, newUser, connect } = await listening(t)
  const user = await newUser()
  const { connection } = await connect(user)
  await until(() => connection.lastId !== '', { describe: 'an id before anything has changed' })
  const { body: design } = await user.post('/api/designs', DESIGN)
  const broken = String.raw`{\n  "a": 1,\n\n\r\n  "b": [2,\r3, "\\n"]\r}`
  await app.db.query({ name: 'test', text: `update designs set metadata = E'${broken}' where id = '${design.id}'` })
  const metadata = { a: 1, b: [2, 3, '\n'] }
  const told = (): { row?: { version?: number } } => JSON.parse(connection.events.at(-1)?.data ?? '{}')
  await until(() => told().row?.version === 2, { timeoutMs: 10_000, describe: 'the change by SQL' })
  t.match(told(), { id: design.id, row: { metadata } })
  t.match(
    (await user.get('/api/designs/export')).text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [{ metadata }],
  )
})

t.test('what is refused is refused before there is a stream', async (t) => {
  const { newUser, connect } = await listening(t)
  const [user, other] = [await newUser(), await newUser()]
  const { body } = await user.get('/api/changes')
  t.equal((await connect(user, 'x')).status, 400)
  t.equal((await connect(other, body.next_cursor)).status, 400)
  for (let n = 0; n < 10; n += 1) t.equal((await connect(user)).status, 200)
  const eleventh = await connect(user)
  t.equal(eleventh.status, 429)
  t.match(eleventh.connection.response.headers, { 'retry-after': /\d/ })
  t.equal((await connect(other)).status, 200, 'of another user')
})

t.test('a stream ends when its token is revoked, and when its user is deactivated', async (t) => {
  const { admin, newUser, connect, app } = await listening(t)
  const [user, idle] = [await newUser(), await newUser()]
  const { connection } = await connect(user)
  const { connection: idleConnection } = await connect(idle)
  const { body: tokens } = await admin.get(`/api/users/${user.id}/tokens`)
  await admin.delete(`/api/users/${user.id}/tokens/${tokens.items[0].id}`)
  await until(() => connection.ended, { timeoutMs: 10_000, describe: 'the stream of the revoked token ends' })
  await admin.patch(`/api/users/${idle.id}`, { is_active: false })
  await until(() => idleConnection.ended, { timeoutMs: 10_000, describe: 'the stream of the user ends' })
  t.equal(app.changeStreams.count, 0)
})

t.test('a replica that leaves ends its streams, and a new one soon, with all there is and no 503', async (t) => {
  const { app, newUser, connect } = await listening(t)
  const user = await newUser()
  const { connection } = await connect(user)
  await until(() => connection.lastId !== '', { describe: 'a first id' })
  app.endStreams()
  await until(() => connection.ended, { describe: 'its end' })
  t.ok(connection.response.complete, 'in order')

  await user.post('/api/designs', DESIGN)
  const { connection: next, status } = await connect(user, connection.lastId)
  t.equal(status, 200, 'a browser would not come back after a 503')
  await user.post('/api/designs', DESIGN)
  await until(() => next.ended, { describe: 'its end' })
  t.ok(next.response.complete)
  t.equal(next.events.length, 2, 'what it missed, and what came while it was open')

  await user.post('/api/designs', DESIGN)
  app.changeStreams.close()
  const { connection: last } = await connect(user, next.lastId)
  await until(() => last.ended, { describe: 'its end' })
  t.equal(last.events.length, 1, 'what there is')
  await app.close()
})

t.test('on SIGTERM a stream ends at once, while the replica goes on serving', async (t) => {
  const token = 'an-admin-token-of-the-tests-0123456789'
  const service = new ServiceProcess(t, {
    NODE_ENV: 'development',
    DATA_DIR: temporaryDirectory(),
    PORT: '0',
    HOST: '127.0.0.1',
    ADMIN_TOKENS: token,
    RAILWAY_DEPLOYMENT_DRAINING_SECONDS: '30',
  })
  await service.listening()
  const port = Number(/Server listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(service.output)?.[1])
  const ask = async (path: string, body?: object) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      ...(body && { body: JSON.stringify(body) }),
    })
    return (await answer.json()) as { id: string; token: string }
  }
  const { id } = await ask('/api/users', { email: 'a@example.com', shop_name: 'A shop' })
  const { token: ofUser } = await ask(`/api/users/${id}/tokens`, { name: 'test' })
  const connection = new EventConnection('')
  t.equal(await connection.open(port, ofUser), 200)
  service.kill('SIGTERM')
  const killedAt = performance.now()
  await until(() => connection.ended, { timeoutMs: 10_000, describe: 'the end of the stream' })
  t.ok(performance.now() - killedAt < 3_000)
  t.equal((await fetch(`http://127.0.0.1:${port}/api/cache/health`)).status, 200, 'it serves on')
  t.equal(await service.ended(), 0)
})

t.test('a stream is the last answer of its connection: what is sent behind it is not carried out', async (t) => {
  const { port, newUser } = await listening(t)
  const user = await newUser()
  const lines = `Host: x\r\nAuthorization: Bearer ${user.token}\r\n`
  const body = JSON.stringify(DESIGN)
  const behind = `POST /api/designs HTTP/1.1\r\n${lines}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  for (const [path, token] of [
    ['/api/changes', user.token],
    ['/api/cache/live', ADMIN_TOKEN],
  ] as const) {
    const stream = `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\n\r\n`
    const answer = await exchange(port, stream + behind)
    t.match(
      { status: answer.status, type: answer.header('content-type') },
      { status: 200, type: /^text\/event-stream/ },
    )
    t.same((await user.get('/api/designs')).body.items, [], path)
  }
})
