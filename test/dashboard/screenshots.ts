/**
 * `npm run screenshots`: the dashboard of two replicas at work, and of what goes wrong, as docs/images/*.png. Needs PostgreSQL, Redis and
 * Chromium, and pngquant to make them small; takes about two minutes.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BrowserContextOptions, Page } from 'playwright-core'
import t from 'tap'
import { startPostgres } from '../helpers/servers/postgres.js'
import { startRedis } from '../helpers/servers/redis.js'
import { enter, openDashboard, startBrowser } from './browser.js'
import { Shop, startReplica } from './scene.js'

const FOLDER = join(import.meta.dirname, '../../docs/images')
const MOST_BYTES = 150_000
/** So that the charts have something to show. */
const WARM_UP_MS = 70_000
const PHONE = { viewport: { width: 390, height: 844 } }

t.setTimeout(300_000)

t.test('screenshots', async (t) => {
  mkdirSync(FOLDER, { recursive: true })
  const [postgres, redis, browser] = await Promise.all([startPostgres(), startRedis(), startBrowser()])
  t.teardown(() => Promise.all([postgres.stop(), redis.stop(), browser.close()]))
  const env = { DATABASE_URL: await postgres.createDatabase(), REDIS_URL: redis.url, CACHE_MAX_MEMORY_ITEMS: '500' }
  const one = await startReplica(t, 'eu-1', env)
  const two = await startReplica(t, 'eu-2', env)
  const shops = await Promise.all([Shop.open(one.url, 80), Shop.open(two.url, 40)])
  const trading = shops.map((shop) => shop.trade([one.url, two.url], { pauseMs: 12, writes: 0.008 }))
  t.teardown(async () => {
    for (const shop of shops) shop.isOpen = false
    await Promise.all(trading)
  })

  const open = async (options: BrowserContextOptions = {}): Promise<Page> => {
    const { page } = await openDashboard(browser, one.url, options)
    await enter(page)
    return page
  }
  const take = async (page: Page, name: string, selector?: string): Promise<void> => {
    const path = join(FOLDER, `${name}.png`)
    if (selector === undefined) await page.screenshot({ path })
    else await page.locator(selector).screenshot({ path })
    spawnSync('pngquant', ['--force', '--strip', '--ext', '.png', '128', path])
    const { size } = statSync(path)
    t.ok(size < MOST_BYTES, `${name}.png has ${size} bytes`)
  }

  const [light, dark, phone] = await Promise.all([open(), open({ colorScheme: 'dark' }), open(PHONE)])
  await sleep(WARM_UP_MS)
  await take(light, 'dashboard-light')
  await take(dark, 'dashboard-dark')
  await take(phone, 'dashboard-phone')
  await light.fill('#inspect-what', `/api/designs/${shops[0]?.designs[0]}`)
  await light.press('#inspect-what', 'Enter')
  await light.waitForSelector('#inspected table')
  await take(light, 'dashboard-inspect', 'section[aria-labelledby="inspect-title"]')
  await redis.kill()
  await light.waitForSelector('#verdict-notes li')
  await sleep(6_000)
  await light.evaluate('scrollTo(0, 0)')
  await take(light, 'dashboard-redis-down')
})
