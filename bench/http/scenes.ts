import { rowEtag } from '../../services/documents/etag.js'
import { ADMIN_TOKEN, Client, type Account } from './catalogue.js'
import { getRequest, type LoadRequest } from './load.js'
import { Server } from './server-process.js'

/** One thing that is asked over HTTP: a server, and the requests to it. */
export interface Scene {
  readonly name: string
  readonly server: Server
  readonly requests: readonly LoadRequest[]
  readonly expected: number
  /** Before a turn. */
  readonly prepare?: () => Promise<void>
  /** After a turn: the share of its answers that came from where the name says. */
  readonly share?: (answers: number) => Promise<number>
}

export interface Scenes {
  readonly all: readonly Scene[]
  readonly close: () => Promise<void>
}

const USERS = 8
const DESIGNS_EACH = 50
/** For "Redis only": so many designs in turn that the few places in memory hold none until it comes up again. */
const ROTATING_DESIGNS = 2_000
const FEW_ITEMS = 100
/** A command that is given up after 100 ms would only show that the machine is busy. */
const PATIENCE = { REDIS_COMMAND_TIMEOUT_MS: '2000' }

/** Starts the servers, makes the catalogue, and warms what the scenes ask for. */
export async function openScenes(options: {
  readonly databaseUrl: string
  readonly redisUrl: string
  readonly isSmall: boolean
}): Promise<Scenes> {
  const { databaseUrl, redisUrl, isSmall } = options
  const common = { ADMIN_TOKENS: ADMIN_TOKEN, DATABASE_URL: databaseUrl }
  const servers: Server[] = []
  const start = async (order: Parameters<typeof Server.start>[0]): Promise<Server> => {
    const server = await Server.start(order)
    servers.push(server)
    return server
  }
  const service = (env: Readonly<Record<string, string>>): Promise<Server> =>
    start({ kind: 'service', env: { ...common, ...env } })

  const cached = await service({ REDIS_URL: redisUrl, ...PATIENCE })
  const small = await service({ REDIS_URL: redisUrl, ...PATIENCE, CACHE_MAX_MEMORY_ITEMS: String(FEW_ITEMS) })
  const uncached = await service({ ENABLE_CACHING: 'false' })

  const client = new Client(cached.port)
  const accounts: Account[] = []
  for (let n = 0; n < (isSmall ? 1 : USERS); n++) accounts.push(await client.makeAccount(`user${n}`, DESIGNS_EACH))
  const rotating = await client.makeAccount('rotating', isSmall ? 2 * FEW_ITEMS : ROTATING_DESIGNS)
  const smallClient = new Client(small.port)
  for (const id of rotating.designIds) await smallClient.get(`/api/designs/${id}`, rotating.token)
  const [first] = accounts
  if (first === undefined) throw new Error('There is an account')

  const document = await client.get(`/api/designs/${first.designIds[0]}`, first.token)
  await client.get('/api/designs', first.token)
  const list = await client.get('/api/designs', first.token)
  const headersOf = ({ headers }: { headers: Headers }): Record<string, string> => ({
    'cache-status': 'roundhouse; hit; ttl=599; detail=memory',
    'cache-control': headers.get('cache-control') ?? '',
    etag: headers.get('etag') ?? '',
    'content-type': headers.get('content-type') ?? '',
    'server-timing': 'total;dur=0.05',
    'x-content-type-options': headers.get('x-content-type-options') ?? '',
    ...(headers.has('vary') && { vary: headers.get('vary') ?? '' }),
  })
  const bare = await start({ kind: 'bare', body: document.text, headers: headersOf(document) })
  const bareList = await start({ kind: 'bare', body: list.text, headers: headersOf(list) })

  const bearer = ({ token }: Account, more: Record<string, string> = {}): Record<string, string> => ({
    authorization: `Bearer ${token}`,
    ...more,
  })
  const each = (more: (id: string) => Record<string, string> = () => ({})): LoadRequest[] =>
    accounts.flatMap((account) =>
      account.designIds.map((id) => getRequest(`/api/designs/${id}`, bearer(account, more(id)))),
    )
  const fromMemory = tierCheck(cached, 'memoryHits')
  // What is compared takes its turns one after the other: the machine is the same then, as far as it can be.
  const all: Scene[] = [
    { name: 'a constant text', server: bare, requests: [getRequest('/text', bearer(first))], expected: 200 },
    { name: 'a constant of 1 KiB', server: bare, requests: [getRequest('/constant', bearer(first))], expected: 200 },
    { name: 'memory hit', server: cached, requests: each(), expected: 200, ...fromMemory },
    { name: 'an object by its schema', server: bare, requests: [getRequest('/object', bearer(first))], expected: 200 },
    {
      name: '304',
      server: cached,
      requests: each((id) => ({ 'if-none-match': rowEtag(id, 1) })),
      expected: 304,
      ...fromMemory,
    },
    { name: 'a bare 304', server: bare, requests: [getRequest('/constant-304', bearer(first))], expected: 304 },
    {
      name: 'Redis only',
      server: small,
      requests: rotating.designIds.map((id) => getRequest(`/api/designs/${id}`, bearer(rotating))),
      expected: 200,
      ...tierCheck(small, 'redisHits'),
    },
    { name: 'no cache, PostgreSQL', server: uncached, requests: each(), expected: 200 },
    {
      name: 'a constant of that list',
      server: bareList,
      requests: [getRequest('/constant', bearer(first))],
      expected: 200,
    },
    {
      name: 'list, memory hit',
      server: cached,
      requests: accounts.map((account) => getRequest('/api/designs', bearer(account))),
      expected: 200,
      ...fromMemory,
    },
    {
      name: 'a constant text of that list',
      server: bareList,
      requests: [getRequest('/text', bearer(first))],
      expected: 200,
    },
  ]
  return {
    all,
    close: async () => {
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}

/**
 * What share of the documents came from this tier. Token and profile come from memory in either case, so an answer from
 * memory has three hits there.
 */
function tierCheck(server: Server, counter: 'memoryHits' | 'redisHits'): Pick<Scene, 'prepare' | 'share'> {
  let before = 0
  const count = async (): Promise<number> => (await server.stats()).cache[counter]
  return {
    async prepare() {
      before = await count()
    },
    async share(answers) {
      const others = counter === 'memoryHits' ? 2 * answers : 0
      return ((await count()) - before - others) / answers
    },
  }
}
