import { cachedTables } from '../../../services/cache-map.js'
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { type MigratableDatabase, type Queryable, migrate, sqlState } from '../../../services/database/index.js'
import { readMigrations } from '../../../services/database/migration-files.js'
import { until } from '../../helpers/deadline.js'

export interface Harness {
  readonly kind: 'postgres' | 'pglite'
  /** A database with the tables of the migrations, which the tests of this suite share. */
  readonly database: MigratableDatabase
  /** The names of the statements sent by `database` so far. */
  readonly statementNames: readonly string[]
}

/** What every driver promises. Each test makes the tables it needs. */
export async function conforms(t: Test, { kind, database, statementNames }: Harness): Promise<void> {
  await t.test('it says what it is', async (t) => t.equal(database.kind, kind))

  await t.test('values travel as parameters and come back as they were', async (t) => {
    const ids = [randomUUID(), randomUUID()]
    const when = new Date('2026-02-03T04:05:06.789Z')
    const [row] = await query(
      database,
      `select $1::text as text, $2::text[] as texts, $3::uuid[] as ids, $4::jsonb as json, $5::timestamptz as "when",
        $6::integer as number, $7::boolean as flag, $8::text as nothing, $9::bigint::text as big`,
      [
        `it's "quoted" \\ ünï`,
        ['a,b', '"c"', '{}', ''],
        ids,
        '[{"a":[1,null]}]',
        when,
        42,
        true,
        null,
        '9007199254740993',
      ],
    )
    t.same(row, {
      text: `it's "quoted" \\ ünï`,
      texts: ['a,b', '"c"', '{}', ''],
      ids,
      json: [{ a: [1, null] }],
      when,
      number: 42,
      flag: true,
      nothing: null,
      big: '9007199254740993',
    })
  })

  await t.test('an empty array is an empty array, and no rows are no rows', async (t) => {
    t.same(await query(database, 'select $1::uuid[] as ids', [[]]), [{ ids: [] }])
    t.same(await query(database, 'select 1 as one where false'), [])
  })

  await t.test('a transaction commits what it did and answers what its work answered', async (t) => {
    const table = await makeTable(database)
    const answer = await database.transaction(async (transaction) => {
      await query(transaction, `insert into ${table} values (1), (2)`)
      return 'done'
    })
    t.equal(answer, 'done')
    t.same(await query(database, `select id from ${table} order by id`), [{ id: 1 }, { id: 2 }])
  })

  await t.test('a transaction whose work throws leaves nothing, and throws the same error', async (t) => {
    const table = await makeTable(database)
    const reason = new Error('changed my mind')
    const work = database.transaction(async (transaction) => {
      await query(transaction, `insert into ${table} values (1)`)
      throw reason
    })
    t.equal(await work.catch((error: unknown) => error), reason)
    t.same(await query(database, `select id from ${table}`), [])
  })

  await t.test('a transaction that ignored a failed statement is not committed in silence', async (t) => {
    const table = await makeTable(database)
    const work = database.transaction(async (transaction) => {
      await query(transaction, `insert into ${table} values (1)`)
      await query(transaction, 'select 1/0').catch(() => {})
    })
    await t.rejects(work)
    t.same(await query(database, `select id from ${table}`), [])
  })

  await t.test('a transaction that has ended takes no more statements', async (t) => {
    const kept: Queryable[] = []
    await database.transaction(async (transaction) => void kept.push(transaction))
    for (const transaction of kept) await t.rejects(query(transaction, 'select 1'))
  })

  await t.test('others do not see a transaction before its commit', async (t) => {
    const table = await makeTable(database)
    let seen: Promise<object[]> | undefined
    await database.transaction(async (transaction) => {
      await query(transaction, `insert into ${table} values (1)`)
      const other = query(database, `select count(*)::integer as count from ${table}`)
      // A single connection answers the other only once this transaction has ended.
      if (kind === 'postgres') t.same(await other, [{ count: 0 }])
      else seen = other
      t.same(await query(transaction, `select id from ${table}`), [{ id: 1 }])
    })
    if (seen) t.same(await seen, [{ count: 1 }])
  })

  await t.test('errors of the database keep their SQLSTATE', async (t) => {
    const table = await makeTable(database)
    await query(database, `insert into ${table} values (1)`)
    const refused = (text: string) => query(database, text).catch(sqlState)
    t.equal(await refused(`insert into ${table} values (1)`), '23505')
    t.equal(await refused('select 1/0'), '22012')
    t.equal(await refused('selct'), '42601')
    const inTransaction = database.transaction((transaction) => query(transaction, `insert into ${table} values (1)`))
    t.equal(await inTransaction.catch(sqlState), '23505')
    t.equal(sqlState(Object.assign(new Error('broken pipe'), { code: 'EPIPE' })), undefined)
    t.same(await query(database, 'select 1 as one'), [{ one: 1 }])
  })

  await t.test(
    'a refusal that passes is unavailable, alone and in a transaction, and nothing of it is kept',
    async (t) => {
      const table = await makeTable(database)
      for (const state of ['55P03', '57014', '40001', '40P01', '53300', '53200', '25P04', '58030']) {
        const refusal = `do $$ begin insert into ${table} values (1); raise exception 'no' using errcode = '${state}'; end $$`
        await t.rejects(query(database, refusal), { code: 'DATABASE_UNAVAILABLE', message: /: no$/ }, state)
        const inTransaction = database.transaction((transaction) => query(transaction, refusal))
        await t.rejects(inTransaction, { code: 'DATABASE_UNAVAILABLE' }, state)
      }
      t.same(await query(database, `select id from ${table}`), [])
    },
  )

  await t.test('a session hears its channel, and only after the commit', async (t) => {
    const heard: string[] = []
    const session = await database.listen('Room 1', (payload) => heard.push(payload))
    await database.transaction(async (transaction) => {
      await query(transaction, `select pg_notify('Room 1', 'first')`)
      await query(transaction, `select pg_notify('room 2', 'other')`)
      t.same(heard, [])
    })
    await database
      .transaction(async (transaction) => {
        await query(transaction, `select pg_notify('Room 1', 'rolled back')`)
        throw new Error('no')
      })
      .catch(() => {})
    await query(database, `select pg_notify('Room 1', '')`)
    await until(() => heard.length >= 2, { describe: 'both notifications' })
    t.same(heard, ['first', ''])
    t.same(await query(session, 'select 1 as one'), [{ one: 1 }])
    await session.close()
  })

  await t.test('a closed session has ended without a reason and hears nothing more', async (t) => {
    const heard: string[] = []
    const session = await database.listen('room', (payload) => heard.push(payload))
    await session.close()
    t.equal(await session.closed, undefined)
    await query(database, `select pg_notify('room', 'late')`)
    t.same(heard, [])
  })

  await t.test('every statement is told by name, those of transactions too', async (t) => {
    const before = statementNames.length
    await database.query({ name: 'count.one', text: 'select 1' })
    await database.transaction((transaction) => transaction.query({ name: 'count.two', text: 'select 1' }))
    t.same(statementNames.slice(before), ['count.one', 'count.two'])
  })

  await t.test('migrating twice, and at the same time, does the same as migrating once', async (t) => {
    t.same(await Promise.all([migrate(database, cachedTables), migrate(database, cachedTables)]), [[], []])
    const ran = await query(database, 'select number, name from roundhouse_migrations order by number')
    t.same(
      ran,
      readMigrations().map(({ number, name }) => ({ number, name })),
    )
  })
}

let tables = 0

async function makeTable(database: Queryable): Promise<string> {
  const name = `scratch_${++tables}`
  await query(database, `create table ${name} (id integer primary key)`)
  return name
}

export function query(on: Queryable, text: string, values?: readonly unknown[]): Promise<object[]> {
  return on.query<object>({ name: 'test', text, ...(values && { values }) })
}
