import t from 'tap'
import { systemClock } from '../../../services/cache/index.js'
import { ChangesKeeper } from '../../../services/changes/keeper.js'
import type { ChangesFeed } from '../../../services/changes/feed.js'
import type { Database, Statement } from '../../../services/database/database.js'
import { DatabaseUnavailableError } from '../../../services/database/errors.js'

function setUp() {
  let isAway = false
  const marks: string[] = []
  const query = async ({ name }: Statement): Promise<[]> => {
    if (isAway) throw new DatabaseUnavailableError('it is away')
    marks.push(name)
    return []
  }
  const feed = { sample: async () => {}, statements: { mark: { name: 'mark', text: '' } } }
  const keeper = new ChangesKeeper({
    database: { query } as unknown as Database,
    feed: feed as unknown as ChangesFeed,
    clock: systemClock,
    random: () => 0,
    hears: true,
    keepMs: 1_000,
    onError: () => {},
  })
  return { keeper, marks, away: (value: boolean) => (isAway = value) }
}

t.test(
  'a mark is made where something has changed since the last one, also when it failed the first time',
  async (t) => {
    const { keeper, marks, away } = setUp()
    await keeper.mark()
    await keeper.mark()
    t.equal(marks.length, 1, 'nothing has changed')
    keeper.heard()
    away(true)
    await t.rejects(keeper.mark(), DatabaseUnavailableError)
    away(false)
    await keeper.mark()
    t.equal(marks.length, 2, 'what has changed is marked once the database is back')
    await keeper.mark()
    t.equal(marks.length, 2)
  },
)
