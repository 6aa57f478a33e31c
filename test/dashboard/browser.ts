import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { ADMIN_TOKEN } from '../helpers/app.js'

/** Debian's, and where others have it; playwright-core brings none. */
const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  process.env['CHROMIUM'] ?? '',
]

const executablePath = PLACES.find((path) => path !== '' && existsSync(path))

/** For `skip` of a test: why it can't run here. */
export const NO_CHROMIUM: string | false =
  executablePath === undefined && 'no Chromium here: apt-get install chromium, or name one in CHROMIUM'

export async function startBrowser(): Promise<Browser> {
  if (executablePath === undefined) throw new Error(String(NO_CHROMIUM))
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

export interface Opened {
  readonly page: Page
  /** What the page logged as errors, and what was refused by its policy. */
  readonly faults: string[]
  /** The hosts that were asked. */
  readonly hosts: Set<string>
}

/** The dashboard in a window of its own, with what goes wrong in it. */
export async function openDashboard(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  const page = await context.newPage()
  const faults: string[] = []
  const hosts = new Set<string>()
  page.on('console', (line) => line.type() === 'error' && faults.push(line.text()))
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('request', (request) => hosts.add(new URL(request.url()).host))
  await page.goto(`${url}/dashboard`)
  return { page, faults, hosts }
}

/** With a token, up to the first figures. */
export async function enter(page: Page, token = ADMIN_TOKEN): Promise<void> {
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Look' }).click()
  await page.waitForSelector('#replicas tr')
}
