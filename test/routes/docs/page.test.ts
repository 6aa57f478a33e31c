import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import t from 'tap'
import { startService } from '../../helpers/app.js'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
)
const skip = CHROMIUM === undefined ? { skip: 'Chromium is missing (Debian: apt-get install chromium)' } : {}

t.setTimeout(120_000)

t.test('the page shows every route, in light and dark, and asks nobody but the service', skip, async (t) => {
  const { app } = await startService(t)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const browser = await chromium.launch({ executablePath: String(CHROMIUM), args: ['--no-sandbox'] })
  t.teardown(() => browser.close())
  const shown = app.apiRoutes().filter(({ schema }) => schema.hide !== true).length

  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 390, height: 844 } })
    const [foreign, said]: [string[], string[]] = [[], []]
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:')) foreign.push(request.url())
    })
    // What the policy forbids is said here.
    page.on('console', (message) => said.push(message.text()))
    page.on('pageerror', (error) => said.push(error.message))
    await page.goto(`${url}/docs`)
    await page.locator('.opblock').first().waitFor()
    t.equal(await page.locator('.opblock').count(), shown)
    await page.getByText('Create a design').click()
    await page.getByText('IDEMPOTENCY_KEY_REUSED').first().waitFor()
    t.same({ foreign, said }, { foreign: [], said: [] })
    t.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, 'it fits a phone')
    await page.close()
  }
})

t.test('page and parts need no token, and forbid what is not of the service', async (t) => {
  const { anonymous } = await startService(t)
  for (const path of ['/docs', '/docs/', '/docs/start.js', '/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js']) {
    const { status, headers } = await anonymous.get(path, { 'accept-encoding': 'gzip' })
    t.equal(status, 200, path)
    t.match(headers['content-security-policy'], /^default-src 'none';script-src 'self';style-src 'self';/)
    t.notMatch(headers['content-security-policy'], /unsafe|https?:/)
    t.equal((await anonymous.get(path, { 'if-none-match': String(headers['etag']) })).status, 304)
  }
  t.match(await anonymous.get('/docs/nothing.js'), { status: 404, body: { code: 'ROUTE_NOT_FOUND' } })
})
