/** Updates of designs, each client its own row: as the service writes, or the rows alone through the same seam. */
import { randomUUID } from 'node:crypto'
import { v7 as newId } from 'uuid'
import { designTable, type DesignRow } from '../../services/designs/repository.js'
import { DesignService } from '../../services/designs/service.js'
import { OwnedRows } from '../../services/catalogue/owned-rows.js'
import { createJournalStore, migrate, openDatabase, type Database } from '../../services/database/index.js'
import { rateOf, type Contenders, type OpenContender, type Sample } from '../harness/contender.js'
import { openEngine } from './roundhouse.js'

const DESIGNS = 32
const NEW_DESIGN = {
  filename: 'design.png',
  file_path: 'designs/design.png',
  platform: 'etsy',
  tags: ['leaves'],
} as const
/** Writes of one client between two looks at the clock. */
const WRITES = 5

type Write = (client: number, text: string) => Promise<unknown>

const open =
  (writerOf: (parts: Parts) => Write): OpenContender =>
  async ({ databaseUrl, redisUrl, isOneUser }) => {
    const database = await openDatabase({ url: String(databaseUrl), dataDir: '', poolSize: DESIGNS })
    await migrate(database)
    const { cache, close } = await openEngine({
      memoryItems: 1_000,
      redisUrl: String(redisUrl),
      journal: createJournalStore(database),
    })
    const service = new DesignService({ database, cache, newId: () => newId() }, (design) => JSON.stringify(design))
    const rows: OwnedId[] = []
    for (let n = 0; n < DESIGNS; n++) {
      const userId = (isOneUser === true ? rows[0]?.userId : undefined) ?? (await makeUser(database))
      rows.push({ userId, id: (await service.create(userId, { ...NEW_DESIGN, tags: ['leaves'] })).id })
    }
    const write = writerOf({ service, database, rows })
    let count = 0
    const clients =
      (number: number) =>
      (ms: number): Promise<Sample> =>
        rateOf(ms, number * WRITES, () =>
          Promise.all(
            Array.from({ length: number }, async (_, client) => {
              for (let n = 0; n < WRITES; n++) await write(client, `text ${++count}`)
            }),
          ),
        )
    return {
      turns: { '1': clients(1), '8': clients(8), '32': clients(32) },
      close: async () => {
        await close()
        await database.close()
      },
    }
  }

interface Parts {
  readonly service: DesignService
  readonly database: Database
  readonly rows: readonly OwnedId[]
}

interface OwnedId {
  readonly userId: string
  readonly id: string
}

async function makeUser(database: Database): Promise<string> {
  const userId = newId()
  const text = 'insert into users (id, email, shop_name) values ($1::uuid, $2::text, $3::text)'
  await database.query({ name: 'bench.user', text, values: [userId, `${randomUUID()}@example.com`, 'A shop'] })
  return userId
}

export const contenders: Contenders = {
  'rows alone': open(({ database, rows: owned }) => {
    const rows = new OwnedRows<DesignRow>(designTable)
    return (client, description) => {
      const { userId, id } = owned[client]!
      return database.transaction((transaction) => rows.update(transaction, userId, id, { description }, undefined))
    }
  }),
  'coherent write': open(
    ({ service, rows }) =>
      (client, description) =>
        service.update(rows[client]!.userId, rows[client]!.id, { description }),
  ),
}
