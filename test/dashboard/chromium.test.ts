import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { until } from '../helpers/deadline.js'
import { startPostgres } from '../helpers/servers/postgres.js'
import { startRedis } from '../helpers/servers/redis.js'
import { enter, NO_CHROMIUM, openDashboard, startBrowser } from './browser.js'
import { READ_TOKEN, type Replica, Shop, startReplica } from './scene.js'

t.setTimeout(180_000)

const text = async (page: Page, id: string): Promise<string> =>
  ((await page.textContent(`#${id}`)) ?? '').replaceAll('\u00a0', ' ')
const figure = async (page: Page, id: string): Promise<number> =>
  Number((await text(page, id)).replaceAll(/[^\d.]/g, ''))
const says = (page: Page, id: string, wanted: RegExp, timeoutMs = 20_000): Promise<unknown> =>
  until(async () => wanted.test(await text(page, id)), { timeoutMs, describe: `${id} says ${wanted}` })

/** What axe finds in the page as it is, in words. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const run = "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)"
  const violations = await page.evaluate<{ id: string; nodes: { target: unknown; failureSummary?: string }[] }[]>(run)
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${String(target)} ${failureSummary}`),
  )
}

/** For the page: five minutes, reads in the first and in the last one, and how many points of the hit rate's line are in each. */
const PAINTED_BY_MINUTE = `(async () => {
  const { Charts } = await import('./dashboard/charts.js')
  const none = { seconds: 5, redis: 0, loads: 0, tails: 0, requests: 0, hits: new Map(), misses: new Map(), barrierMs: 1 }
  const ticks = Array.from({ length: 61 }, (_, n) => {
    const reads = n < 12 || n > 48 ? 1 + n : 0
    return { at: 1_000_000 + 5 * n, of: new Map([['a', { ...none, memory: reads, miss: 2 * reads }]]) }
  })
  new Charts().update(ticks, '', 1_000)
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
  const canvas = document.querySelectorAll('#charts canvas')[1]
  const pen = document.createElement('canvas').getContext('2d')
  pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--memory')
  pen.fillRect(0, 0, 1, 1)
  const colour = pen.getImageData(0, 0, 1, 1).data
  const over = document.querySelectorAll('#charts .u-over')[1]
  const scale = canvas.width / canvas.clientWidth
  const [left, width] = [over.offsetLeft * scale, over.clientWidth * scale]
  const isOfLine = (pixels, at) => [0, 1, 2].every((part) => Math.abs(pixels[at + part] - colour[part]) < 24)
  return [0, 1, 2, 3, 4].map((minute) => {
    const from = Math.round(left + (width * (minute + 0.2)) / 5)
    const { data } = canvas.getContext('2d').getImageData(from, 0, Math.round(width * 0.12), canvas.height)
    return Array.from({ length: data.length / 4 }, (_, n) => n * 4).filter((at) => isOfLine(data, at)).length
  })
})()`

t.test('the dashboard in Chromium', { skip: NO_CHROMIUM }, async (t) => {
  const [postgres, redis, browser] = await Promise.all([startPostgres(), startRedis(), startBrowser()])
  t.teardown(() => Promise.all([postgres.stop(), redis.stop(), browser.close()]))
  const env = { DATABASE_URL: await postgres.createDatabase(), REDIS_URL: redis.url }
  const one = await startReplica(t, 'replica-1', env)
  const shop = await Shop.open(one.url, 20)
  const trading = shop.trade([one.url], { pauseMs: 20 })
  t.teardown(async () => {
    shop.isOpen = false
    await trading
  })
  const { page, faults, hosts } = await openDashboard(browser, one.url)

  await t.test('shows the door, and no figure without a token', async (t) => {
    t.ok(await page.isVisible('#login'))
    t.notOk(await page.isVisible('#board'))
    t.equal(await page.evaluate('document.activeElement.id'), 'token', 'where one can type at once')
    await page.fill('#token', 'an-invented-token-0123456789-0123456789')
    await page.keyboard.press('Enter')
    await says(page, 'door-fault', /does not know this token/)
    t.notOk(await page.isVisible('#board'))
    t.same(await findings(page), [])
    // The browser itself tells of an answer that is no success.
    t.match(faults.splice(0).join(), /401/)
  })

  await t.test('the figures move', async (t) => {
    await enter(page)
    await says(page, 'verdict-text', /^The cache (has answered|answers) .* it is coherent; nothing older than/)
    const before = await figure(page, 'saved-queries')
    await until(async () => (await figure(page, 'saved-queries')) > before, { describe: 'queries are saved' })
    await until(async () => (await figure(page, 'reads-rate')) > 0, { describe: 'reads a second' })
    await until(async () => /ms/.test(await text(page, 'hit-50')), { describe: 'a percentile of hits' })
    t.match(await page.textContent('#domains'), /designs/)
    t.match(await page.textContent('#heard'), /designs/)
    t.equal(await page.locator('canvas').count(), 4)
    t.match(await page.locator('.plot').first().getAttribute('aria-label'), /Who answers reads\. Now: memory/)
  })

  await t.test('a second replica appears, and can be looked at alone', async (t) => {
    await startReplica(t, 'replica-2', env)
    await says(page, 'replicas', /replica-2/)
    await says(page, 'coherent', /^2 of 2$/)
    await page.getByLabel('Show').selectOption('replica-2')
    await says(page, 'coherent', /^1 of 1$/)
    t.notMatch(await page.textContent('#lanes'), /replica-1/)
    await page.getByLabel('Show').selectOption('')
  })

  await t.test('one that was killed is shown as silent', async () => {
    // It ended with the test before, by SIGKILL.
    await says(page, 'verdict-notes', /replica-2: silent for/, 30_000)
    await says(page, 'coherent', /^1 of 2$/)
    await says(page, 'replicas', /silent/)
  })

  await t.test('a killed Redis shows within 3 s, and that it is back', async (t) => {
    await redis.kill()
    const killedAt = performance.now()
    await says(page, 'verdict-notes', /replica-1: Redis does not answer/)
    t.ok(performance.now() - killedAt < 3_000, `it took ${Math.round(performance.now() - killedAt)} ms`)
    t.equal(await page.getAttribute('#verdict', 'data-level'), 'warn')
    await until(async () => /Redis: lost/.test((await page.textContent('#turns')) ?? ''), {
      describe: 'the list of changes',
    })
    await redis.restart()
    await until(async () => !/Redis does not answer/.test(await text(page, 'verdict-notes')), {
      describe: 'Redis is back',
      timeoutMs: 20_000,
    })
  })

  await t.test('a replica that hangs does not look well, and the page goes on with it', async () => {
    one.process.kill('SIGSTOP')
    await says(page, 'verdict-text', /^No figures since/)
    await says(page, 'link-text', /No connection since/)
    one.process.kill('SIGCONT')
    await says(page, 'link-text', /^Live$/)
    await says(page, 'verdict-text', /^The cache/)
  })

  await t.test('by keyboard: inspect a URL', async (t) => {
    await page.focus('#inspect-what')
    await page.keyboard.type(`/api/designs/${shop.designs[0]}`)
    await page.keyboard.press('Enter')
    await says(page, 'inspected', /(answers|database).*Key:.*Memory.*Redis.*Verdict/s)
    t.match(await page.textContent('#inspected'), shop.designs[0] ?? '')
    await page.fill('#inspect-what', '/api/designs')
    await page.keyboard.press('Enter')
    await says(page, 'inspected', /user_id is missing/)
    faults.length = 0
  })

  await t.test('axe finds nothing, in light and dark, wide and narrow, with all that can be unfolded', async (t) => {
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1440, 390]) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 900 })
        t.same(await findings(page), [], `${colorScheme}, ${width} px`)
        const overflow = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        )
        t.equal(overflow, 0, `nothing is wider than ${width} px`)
      }
    }
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  await t.test('a clear asks first, and empties', (t) => clearing(t, page, shop, trading))

  await t.test('nothing but this host was asked, and nothing was refused by the policy', async (t) => {
    t.same([...hosts], [new URL(one.url).host])
    t.same(faults, [])
  })

  await t.test('minutes without reads are a gap in the hit rate', async (t) => {
    const other = await openDashboard(browser, one.url)
    await enter(other.page)
    const painted = await other.page.evaluate<number[]>(PAINTED_BY_MINUTE)
    t.match(
      painted.map((count) => count > 0),
      [true, false, false, false, true],
    )
    await other.page.context().close()
  })

  await t.test('who may only look can not clear; who signs out is out', async (t) => {
    const other = await openDashboard(browser, one.url, { colorScheme: 'dark' })
    await enter(other.page, READ_TOKEN)
    t.notOk(await other.page.isVisible('#clear'))
    await says(other.page, 'clear-note', /may only look/)
    await other.page.reload()
    await other.page.waitForSelector('#replicas tr')
    await other.page.getByRole('button', { name: 'Sign out' }).click()
    t.ok(await other.page.isVisible('#login'))
    t.notOk(await other.page.isVisible('#board'))
    t.equal(await other.page.evaluate('sessionStorage.length'), 0)
    await other.page.context().close()
  })

  await t.test('after another sign-in nothing is there of the one before', async (t) => {
    const other = await openDashboard(browser, one.url)
    await enter(other.page, READ_TOKEN)
    await other.page.fill('#inspect-what', `/api/designs/${shop.designs[0]}`)
    await other.page.keyboard.press('Enter')
    await says(other.page, 'inspected', /Key:/)
    await other.page.getByRole('button', { name: 'Sign out' }).click()
    t.equal(await text(other.page, 'inspected'), '')
    t.equal(await other.page.inputValue('#inspect-what'), '')
    await enter(other.page)
    t.ok(await other.page.isVisible('#clear'))
    t.match(await text(other.page, 'clear-note'), /Nothing is lost/)
    await other.page.context().close()
  })

  await t.test('the door says why nobody comes in', (t) => atTheDoor(t, browser, one))
})

async function atTheDoor(t: Test, browser: Browser, replica: Replica): Promise<void> {
  const { page } = await openDashboard(browser, replica.url)
  const knock = async (token: string): Promise<void> => {
    await page.getByLabel('Token').fill(token)
    await page.getByRole('button', { name: 'Look' }).click()
  }
  await knock('a-token-that-was-cut-off-when-it-was-copied…')
  await says(page, 'door-fault', /is no token.*Copy it again/)

  const ending = new AbortController()
  const headers = { authorization: `Bearer ${READ_TOKEN}` }
  const open = (): Promise<Response> => fetch(`${replica.url}/api/cache/live`, { headers, signal: ending.signal })
  await until(async () => (await open()).status === 429, { describe: 'no more pages may watch' })
  await knock(READ_TOKEN)
  await says(page, 'door-fault', /Twenty pages watch this replica already.*tries again by itself/)
  ending.abort()
  await page.waitForSelector('#replicas tr')

  await page.route('**/api/cache/live', (route) => route.abort())
  await page.reload()
  await says(page, 'door-fault', /does not answer.*tries again by itself/)
  await page.unroute('**/api/cache/live')
  await page.waitForSelector('#replicas tr')
  t.notOk(await page.isVisible('#door'), 'the kept token was tried again')
  await page.context().close()
}

async function clearing(t: Test, page: Page, shop: Shop, trading: Promise<void>): Promise<void> {
  shop.isOpen = false
  await trading
  const before = await figure(page, 'memory-items-text')
  t.ok(before > 0)
  await page.getByLabel('What', { exact: true }).selectOption('all')
  await page.getByRole('button', { name: 'Clear…' }).click()
  t.match(await text(page, 'confirm-text'), /Every entry of every tenant/)
  t.equal(await page.evaluate('document.activeElement.textContent'), 'Keep it', 'what is harmless has the focus')
  t.same(await findings(page), [])
  await page.keyboard.press('Escape')
  await says(page, 'cleared', /Nothing was cleared/)

  await page.getByRole('button', { name: 'Clear…' }).click()
  await page.getByRole('button', { name: 'Clear', exact: true }).click()
  await says(page, 'cleared', /Cache cleared at/)
  await until(async () => (await text(page, 'memory-items-text')).startsWith('0 of'), { describe: 'memory is empty' })
  await says(page, 'heard', /everything/)

  await page.getByLabel('What', { exact: true }).selectOption('user')
  await page.getByLabel('Id', { exact: true }).fill(shop.userId)
  await page.getByRole('button', { name: 'Clear…' }).click()
  await page.getByRole('button', { name: 'Clear', exact: true }).click()
  await says(page, 'cleared', new RegExp(`Cache cleared for user ${shop.userId}`))
}
