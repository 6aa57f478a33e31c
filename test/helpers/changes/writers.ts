import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Caller } from '../app.js'
import type { Seeded } from '../seeded.js'

/** Transactions of one to six statements of all kinds, some of them slow, some rolled back, by whoever has a connection. */
export async function writeBySql(url: string, userId: string, random: Seeded, isOver: () => boolean): Promise<number> {
  const client = new pg.Client(url)
  await client.connect()
  let commits = 0
  try {
    while (!isOver()) {
      try {
        await client.query('begin')
        const statements = 1 + random.below(6)
        for (let n = 0; n < statements; n += 1) await client.query(statementOf(random).replaceAll('$1', `'${userId}'`))
        if (random.next() < 0.5) await sleep(random.below(random.next() < 0.05 ? 1_500 : 120))
        const isKept = random.next() < 0.75
        await client.query(isKept ? 'commit' : 'rollback')
        if (isKept) commits += 1
      } catch {
        // A deadlock, or a template that mockups use.
        await client.query('rollback')
      }
      await sleep(random.below(30))
    }
  } finally {
    await client.end()
  }
  return commits
}

const some = (table: string, most: number): string =>
  `id in (select id from ${table} where user_id = $1 order by random() limit ${most})`

function statementOf(random: Seeded): string {
  const text = `'text ${random.below(1_000_000)}'`
  return random.pick([
    `insert into designs (user_id, filename, file_path, platform) values ($1, ${text}, '/f', 'etsy')`,
    `insert into designs (id, user_id, filename, file_path, platform)
      select gen_random_uuid(), $1, ${text}, '/f', 'etsy' from generate_series(1, 12)`,
    `update designs set description = ${text} where ${some('designs', 1)}`,
    `update designs set description = ${text} where ${some('designs', 5)}`,
    `update designs set description = description where ${some('designs', 5)}`,
    `delete from designs where ${some('designs', 2)}`,
    `with made as (insert into designs (user_id, filename, file_path, platform) values ($1, ${text}, '/f', 'etsy') returning id)
      select from made`,
    `insert into templates (user_id, name, title, platform, product_type) values ($1, ${text}, 't', 'etsy', 'mug')`,
    `update templates set title = ${text} where ${some('templates', 2)}`,
    `insert into mockups (user_id, name, template_id) select $1, ${text}, id from templates where ${some('templates', 1)}`,
    `delete from mockups where ${some('mockups', 2)}`,
    `do $$ begin
      begin update designs set description = ${text}; raise 'undone'; exception when raise_exception then null; end;
    end $$`,
  ])
}

/** The API's own writes, on a replica of the caller's choice. */
export async function writeByApi(caller: () => Caller, random: Seeded, isOver: () => boolean): Promise<number> {
  const ids: string[] = []
  let commits = 0
  while (!isOver()) {
    const id = ids.length === 0 ? undefined : random.pick(ids)
    const body = { description: `text ${random.below(1_000_000)}` }
    const choice = random.next()
    if (id === undefined || choice < 0.4) {
      const made = await caller().post('/api/designs', { ...body, filename: 'f', file_path: '/f', platform: 'etsy' })
      if (made.status === 201) ids.push(made.body.id)
      commits += 1
    } else if (choice < 0.8) {
      await caller().patch(`/api/designs/${id}`, body)
      commits += 1
    } else {
      await caller().delete(`/api/designs/${id}`)
      ids.splice(ids.indexOf(id), 1)
      commits += 1
    }
    await sleep(random.below(60))
  }
  return commits
}
