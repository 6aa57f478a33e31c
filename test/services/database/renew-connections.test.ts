import t from 'tap'
import { type ConnectionCheck, DatabaseUnavailableError, openDatabase } from '../../../services/database/index.js'
import { until } from '../../helpers/deadline.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { query } from './conformance.js'

const server = await startPostgres()
t.teardown(() => server.stop())

const PID = 'select pg_backend_pid() as pid'

function open(poolSize = 1) {
  return openDatabase({ url: server.url, dataDir: 'unused', poolSize })
}

/** Accepts or refuses as told, and counts how often it is asked. */
function checkThat(answer: string | undefined, text = 'select 1 as one') {
  const asked: (readonly object[])[] = []
  const check: ConnectionCheck = {
    text,
    refusal(rows) {
      asked.push(rows)
      return answer
    },
  }
  return { check, asked }
}

t.test('connections of before are used no more, those made since have passed the check, each once', async (t) => {
  const database = await open()
  const before = await query(database, PID)
  t.same(await query(database, PID), before)
  const { check, asked } = checkThat(undefined)
  database.renewConnections(check)
  const after = await query(database, PID)
  t.notSame(after, before)
  t.same(await query(database, PID), after, 'which stays in the pool')
  t.same(await database.transaction((transaction) => query(transaction, PID)), after)
  t.same(asked, [[{ one: 1 }]], 'and is asked once')
  const old = () => query(database, 'select 1 from pg_stat_activity where pid = $1', [pidIn(before)])
  await until(async () => (await old()).length === 0, { describe: 'the one of before is closed' })
  await database.close()
})

t.test('every check asks anew', async (t) => {
  const database = await open()
  const [first, second] = [checkThat(undefined), checkThat(undefined)]
  database.renewConnections(first.check)
  const before = await query(database, PID)
  database.renewConnections(second.check)
  t.notSame(await query(database, PID), before)
  t.same([first.asked.length, second.asked.length], [1, 1])
  await database.close()
})

t.test('a connection that does not pass is unavailable with the reason, and nothing goes over it', async (t) => {
  const database = await open()
  await query(database, 'create table untouched (id integer)')
  const { check } = checkThat('it leads elsewhere')
  database.renewConnections(check)
  const insert = 'insert into untouched values (1)'
  await t.rejects(query(database, insert), { code: 'DATABASE_UNAVAILABLE', message: /it leads elsewhere/ })
  await t.rejects(
    database.transaction((transaction) => query(transaction, insert)),
    DatabaseUnavailableError,
  )
  database.renewConnections(checkThat(undefined).check)
  t.same(await query(database, 'select * from untouched'), [], 'one that passes a later check is used again')
  await database.close()
})

t.test('a check that fails itself refuses', async (t) => {
  const database = await open()
  database.renewConnections(checkThat(undefined, 'select epoch from no_such_table').check)
  await t.rejects(query(database, 'select 1'), { code: 'DATABASE_UNAVAILABLE', message: /no_such_table/ })
  await database.close()
})

t.test('what is under way is finished over the connection it has', async (t) => {
  const database = await open(2)
  const refused = checkThat('it leads elsewhere').check
  const answer = await database.transaction(async (transaction) => {
    await query(transaction, 'create table finished (id integer)')
    database.renewConnections(refused)
    await t.rejects(query(database, 'select 1'), DatabaseUnavailableError, 'while others are refused')
    await query(transaction, 'insert into finished values (1)')
    return query(transaction, 'select id from finished')
  })
  t.same(answer, [{ id: 1 }])
  database.renewConnections(checkThat(undefined).check)
  t.same(await query(database, 'select id from finished'), [{ id: 1 }], 'committed')
  await database.close()
})

t.test('many at once after a check: each connection is renewed, and nobody waits for ever', async (t) => {
  const database = await open(3)
  const pids = async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => query(database, `${PID}, pg_sleep(0.01)`)))
    return new Set(answers.map(pidIn))
  }
  const before = await pids()
  database.renewConnections(checkThat(undefined).check)
  const after = await pids()
  t.equal(after.size, 3)
  t.same(
    [...after].filter((pid) => before.has(pid)),
    [],
  )
  await database.close()
})

function pidIn([row]: readonly object[]): unknown {
  return row !== undefined && 'pid' in row ? row.pid : undefined
}
