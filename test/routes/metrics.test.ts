import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import t from 'tap'
import { exposition } from '../../services/metrics/exposition.js'
import { metrics } from '../../services/metrics/families.js'
import { ADMIN_TOKEN, type Caller, Caller as TokenCaller, startService } from '../helpers/app.js'
import { until } from '../helpers/deadline.js'
import { sharedPostgres, sharedRedis } from '../helpers/servers/shared-servers.js'

const DOCS = join(import.meta.dirname, '../../docs')
const READ_TOKEN = 'a-token-of-the-tests-that-may-look-0123456789'
const METRICS_TOKEN = 'a-token-of-the-tests-for-metrics-0123456789'
const ADMIN_TOKENS = [ADMIN_TOKEN, `looks:read:${READ_TOKEN}`, `prometheus:metrics:${METRICS_TOKEN}`].join(',')

/** Prometheus' own judge; Debian and Ubuntu have it in the package prometheus. */
const skipPromtool = spawnSync('promtool', ['--version']).error !== undefined && 'promtool is not installed'

const LINE = /^(?<name>[a-z_]+)(?:\{(?<labels>[^}]*)\})? (?<value>-?[\d.e+-]+)$/
const LABEL = /(?<name>\w+)="(?<text>(?:[^"\\]|\\.)*)"/g

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Strict: what is neither a comment nor a sample throws. */
function samplesOf(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('The last line does not end')
  return text
    .trimEnd()
    .split('\n')
    .filter((line) => !/^# (HELP|TYPE) /.test(line))
    .map((line) => {
      const { name = '', labels = '', value } = LINE.exec(line)?.groups ?? {}
      if (name === '') throw new Error(`No sample: ${line}`)
      const pairs = [...labels.matchAll(LABEL)].map(({ groups = {} }) => [groups['name'], groups['text']])
      return { name, labels: Object.fromEntries(pairs), value: Number(value) }
    })
}

async function scrape(caller: Caller, query = ''): Promise<Sample[]> {
  const { status, text } = await caller.get(`/metrics${query}`)
  if (status !== 200) throw new Error(text)
  return samplesOf(text)
}

/** The sum of the samples with these labels. */
function sum(samples: readonly Sample[], name: string, labels: Sample['labels'] = {}): number {
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, text]) => sample.labels[label] === text))
    .reduce((total, { value }) => total + value, 0)
}

const HISTOGRAM_PARTS = ['_bucket', '_sum', '_count']
const familyOf = (name: string) =>
  metrics.find((metric) => metric.name === name) ??
  metrics.find(({ type, name: of }) => type === 'histogram' && HISTOGRAM_PARTS.some((part) => name === `${of}${part}`))

t.test('requests, hits and loads are counted, users and tokens apart from documents', async (t) => {
  const { createDatabase } = await sharedPostgres(t)
  const { url } = await sharedRedis(t)
  const env = { ADMIN_TOKENS, DATABASE_URL: await createDatabase(), REDIS_URL: url }
  const { app, anonymous, admin, newUser } = await startService(t, { env })
  const user = await newUser()
  const before = await scrape(admin)
  for (let count = 0; count < 60; count += 1) await user.get(`/api/designs?limit=${count + 1}`)
  await user.get('/api/designs?limit=1')
  await user.get('/no-such-route')
  await user.send({ method: 'DELETE', url: '/api/cache/health' })
  const after = await scrape(admin)

  const more = (name: string, labels?: Sample['labels']): number => sum(after, name, labels) - sum(before, name, labels)
  const reads = 'roundhouse_cache_reads_total'
  t.equal(more(reads, { of: 'documents', outcome: 'hit', tier: 'memory' }), 1)
  t.equal(more(reads, { of: 'documents', outcome: 'miss', domain: 'design_lists' }), 60)
  t.equal(
    more(reads, { of: 'principals', outcome: 'hit' }),
    2 * 61 - 2,
    'all but the first of its token and its profile',
  )
  t.equal(more('roundhouse_cache_load_duration_seconds_count', { domain: 'design_lists' }), 60)
  t.equal(more('roundhouse_http_requests_total', { route: '/api/designs', method: 'GET', status: '200' }), 61)
  t.equal(more('roundhouse_http_request_duration_seconds_count', { route: '/api/designs', method: 'GET' }), 61)
  t.equal(more('roundhouse_http_requests_total', { route: 'none', method: 'GET', status: '404' }), 1)
  t.equal(more('roundhouse_http_requests_total', { route: 'none', method: 'DELETE', status: '405' }), 1)
  t.ok(more('roundhouse_redis_command_duration_seconds_count') > 60)
  t.equal(sum(after, 'roundhouse_cache_state', { state: 'coherent' }), 1)
  t.ok(sum(after, 'roundhouse_journal_barrier_age_seconds') > 0)
  t.ok(sum(after, 'roundhouse_process_resident_memory_bytes') > 1e7)
  t.equal(sum(after, 'roundhouse_database_pool_max_connections'), 10)

  const { documents } = (await anonymous.get('/api/cache/stats')).body
  t.same(documents, { hits: 1, misses: 60, hit_rate_percent: 1.6 }, 'statistics say it too')

  t.test('every metric of the list is served, with the labels of the list', async (t) => {
    const served = new Map(after.map((sample) => [familyOf(sample.name)?.name ?? sample.name, sample]))
    t.same([...served.keys()].toSorted(), metrics.map(({ name }) => name).toSorted())
    for (const { name, labels } of metrics) {
      const found = Object.keys(served.get(name)?.labels ?? {}).filter((label) => label !== 'le')
      t.same(found.toSorted(), ['replica', ...labels].toSorted(), name)
    }
  })

  t.test('buckets are cumulative, and the last one is the count', async (t) => {
    const buckets = after.filter(
      ({ name, labels }) =>
        name === 'roundhouse_cache_load_duration_seconds_bucket' && labels['domain'] === 'design_lists',
    )
    t.ok(buckets.every(({ value }, at) => at === 0 || value >= (buckets[at - 1]?.value ?? 0)))
    t.match(buckets.at(-1), { labels: { le: '+Inf' }, value: 60 })
  })

  t.test('an administrator of any kind reads them, and nobody else', async (t) => {
    const [reader, scraper] = [new TokenCaller(app, READ_TOKEN), new TokenCaller(app, METRICS_TOKEN)]
    for (const caller of [admin, reader, scraper]) t.equal((await caller.get('/metrics')).status, 200)
    t.match(await anonymous.get('/metrics'), { status: 401, body: { code: 'UNAUTHORIZED' } })
    t.match(await user.get('/metrics'), { status: 403, body: { code: 'FORBIDDEN' } })
    for (const path of ['/api/cache/inspect?key=x', '/api/users', '/api/designs', '/api/users/me']) {
      t.match(await scraper.get(path), { status: 403 }, `a metrics token reads no ${path}`)
    }
    t.match(await scraper.post('/api/cache/clear', {}), { status: 403 })
    t.match((await admin.get('/metrics')).headers, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
    t.match(await admin.get('/metrics?replica=other'), { status: 400 })
  })
})

t.test('one scrape answers for all replicas, and no count goes back when another one answers', async (t) => {
  const { createDatabase } = await sharedPostgres(t)
  const env = { ADMIN_TOKENS, DATABASE_URL: await createDatabase() }
  const [one, two] = [await startService(t, { env }), await startService(t, { env })]
  await one.app.listen({ host: '127.0.0.1', port: 0 })
  await two.app.listen({ host: '127.0.0.1', port: 0 })
  const names = [one.app.replicas.name, two.app.replicas.name]
  const ofBoth = async (caller: Caller): Promise<Sample[] | undefined> => {
    const samples = await scrape(caller)
    const heard = names.map((replica) => sum(samples, 'roundhouse_replica_up', { replica }))
    return heard.join() === '1,1' ? samples : undefined
  }
  for (const { admin } of [one, two])
    await until(() => ofBoth(admin), { timeoutMs: 10_000, describe: 'both are heard' })

  const last = new Map<string, number>()
  for (let round = 0; round < 8; round += 1) {
    await one.anonymous.get('/api/cache/stats')
    if (round % 3 === 2) for (const { app } of [one, two]) await app.replicas.publish()
    for (const { name, labels, value } of await scrape((round % 2 === 0 ? one : two).admin)) {
      if (familyOf(name)?.type === 'gauge') continue
      const series = `${name} ${JSON.stringify(labels)}`
      t.ok(value >= (last.get(series) ?? 0), series)
      last.set(series, value)
    }
  }
  const alone = await scrape(two.admin, '?replica=this')
  t.same([...new Set(alone.map(({ labels }) => labels['replica']))], [two.app.replicas.name])

  t.test('of one that fell silent that alone is said, and other releases do no harm', async (t) => {
    const client = new pg.Client(env.DATABASE_URL)
    await client.connect()
    t.teardown(() => client.end())
    const insert = `insert into replica_reports (name, at, report) values ($1, now() - $2::interval, $3)`
    await client.query(insert, ['gone "1"\\', '1 min', { service: {}, cache: { tails: 7, failed_tails: 0 } }])
    await client.query(insert, ['other', '0', { service: null, cache: { hints: 3 }, http: [], domains: { x: 1 } }])
    await client.query(insert, ['empty', '0', {}])
    const samples = await until(
      async () => {
        const read = await scrape(one.admin)
        return read.some(({ labels }) => labels['replica'] === 'other') ? read : undefined
      },
      { describe: 'they are read' },
    )
    const of = (replica: string) => samples.filter(({ labels }) => labels['replica'] === replica)
    t.same(
      of('gone \\"1\\"\\\\').map(({ name, value }) => [name, Math.round(value / 60)]),
      [
        ['roundhouse_replica_up', 0],
        ['roundhouse_replica_report_age_seconds', 1],
      ],
    )
    t.equal(sum(of('other'), 'roundhouse_hints'), 3)
    t.ok(samples.every(({ value }) => Number.isFinite(value)))
    t.equal(sum(of('empty'), 'roundhouse_replica_up'), 1)
  })
})

t.test('the embedded database and no Redis: what there is not is not served', async (t) => {
  const { admin } = await startService(t, {
    isEmbedded: true,
    env: { ADMIN_TOKENS, PERFORMANCE_MONITORING: 'false' },
  })
  const samples = await scrape(admin)
  t.notOk(samples.some(({ name }) => /redis_|_pool_|request_duration/.test(name)))
  t.equal(sum(samples, 'roundhouse_cache_state', { state: 'memory-only' }), 1)
})

t.test('what a label or a help says can not break a line', async (t) => {
  const text = exposition([{ name: 'a', type: 'gauge', help: 'one\\\ntwo', samples: [[{ of: 'x"\\\ny' }, 1]] }])
  t.equal(text, '# HELP a one\\\\\\ntwo\n# TYPE a gauge\na{of="x\\"\\\\\\ny"} 1\n')
})

t.test('docs/metrics.md has every metric with its type and labels, and no other', async (t) => {
  const page = readFileSync(join(DOCS, 'metrics.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `(roundhouse_\w+)` +\| (\w+) +\| ([^|]*?) *\|/gm)]
  const documented = rows.map(([, name, type, labels = '']) => `${name} ${type} ${labels.replaceAll('`', '')}`.trim())
  const known = metrics.map(({ name, type, labels }) => `${name} ${type} ${labels.join(', ')}`.trim())
  t.same(documented.toSorted(), known.toSorted())
})

t.test('the dashboard and the alerts ask for metrics and labels that there are', async (t) => {
  const dashboard = JSON.parse(readFileSync(join(DOCS, 'metrics/grafana-dashboard.json'), 'utf8'))
  const alerts = readFileSync(join(DOCS, 'metrics/alerts.yml'), 'utf8')
  const shown: string[] = dashboard.panels.flatMap(({ targets = [] }: { targets?: { expr: string }[] }) =>
    targets.map(({ expr }) => expr),
  )
  const asked = [...shown, ...alerts.split('- alert: ').slice(1)]
  t.ok(shown.length > 30 && asked.length - shown.length > 10)
  const used = new Set<string>()
  for (const expression of asked) {
    for (const [, name = '', selector = ''] of expression.matchAll(/\b(roundhouse_\w+)(?:\{([^}]*)\})?/g)) {
      const metric = familyOf(name)
      t.ok(metric, `${name} is a metric`)
      if (metric === undefined) continue
      t.equal(
        metric.type === 'histogram',
        HISTOGRAM_PARTS.some((part) => name.endsWith(part)),
        name,
      )
      used.add(metric.name)
      const labels = [...selector.matchAll(/(\w+)\s*[=!]~?/g)].map(([, label = '']) => label)
      for (const label of labels) t.ok(['replica', ...metric.labels].includes(label), `${name} has the label ${label}`)
    }
  }
  t.same(
    metrics.map(({ name }) => name).filter((name) => !used.has(name)),
    [
      'roundhouse_info',
      'roundhouse_start_time_seconds',
      'roundhouse_cache_errors_total',
      'roundhouse_cache_state_changes_total',
      'roundhouse_redis_oversized_entries_total',
    ],
    'all others are looked at',
  )
})

t.test('each alert names the section that says what to do about it', async (t) => {
  const alerts = readFileSync(join(DOCS, 'metrics/alerts.yml'), 'utf8').split('- alert: ').slice(1)
  for (const alert of alerts) {
    const [, page = '', anchor] = /^ +runbook: docs\/(\w+\.md)#([\w-]+)$/m.exec(alert) ?? []
    const headings = page === '' ? [] : readFileSync(join(DOCS, page), 'utf8').matchAll(/^#+ (.*)$/gm)
    const anchors = [...headings].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    )
    t.ok(anchor !== undefined && anchors.includes(anchor), `${alert.split('\n')[0]}`)
  }
})

t.test(
  'promtool has nothing to say against the rules, nor against what is served',
  { skip: skipPromtool },
  async (t) => {
    const promtool = (args: string[], input = ''): string => {
      const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
      return status === 0 ? '' : `${stdout}${stderr}`
    }
    t.equal(promtool(['check', 'rules', join(DOCS, 'metrics/alerts.yml')]), '')
    const { newUser, app } = await startService(t, { env: { ADMIN_TOKENS } })
    const user = await newUser()
    for (let n = 0; n < 3; n += 1) await user.get('/api/designs')
    const { text } = await app.metrics({ isOfThisAlone: true })
    t.match(text, /roundhouse_http_requests/)
    t.equal(promtool(['check', 'metrics'], text), '')
  },
)
