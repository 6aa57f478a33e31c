import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startService } from '../helpers/app.js'

const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
const FILES = readdirSync(join(import.meta.dirname, '../../dashboard')).filter((name) =>
  /\.(js|css|svg|html)$/.test(name),
)

t.test('the dashboard', async (t) => {
  const { anonymous, admin } = await startService(t)

  await t.test('a browser is led there from /, and nobody else', async (t) => {
    const { status, headers } = await anonymous.get('/', BROWSER)
    t.match({ status, location: headers['location'] }, { status: 302, location: 'dashboard' })
    t.match(headers['vary'], /Accept/)
    for (const accept of ['*/*', 'application/json', 'text/html;q=0', 'application/json;a="text/html"']) {
      t.match(await anonymous.get('/', { accept }), { status: 404, body: { code: 'ROUTE_NOT_FOUND' } })
    }
    t.match(await anonymous.get('/dashboard/', BROWSER), { status: 302, headers: { location: '../dashboard' } })
  })

  await t.test('the page and each of its files come with a strict policy, without a token', async (t) => {
    const page = await anonymous.get('/dashboard')
    t.equal(page.status, 200)
    t.match(page.headers, { 'content-type': 'text/html; charset=utf-8', 'x-content-type-options': 'nosniff' })
    const policy = page.headers['content-security-policy'] ?? ''
    t.match(policy, /^default-src 'none';script-src 'self';style-src 'self';/)
    t.notMatch(policy, /unsafe|https?:|\*/)
    for (const [, name = ''] of page.text.matchAll(/(?:src|href)="dashboard\/([^"]+)"/g)) {
      t.equal((await anonymous.get(`/dashboard/${name}`)).status, 200, name)
    }
    for (const name of [...FILES, 'uPlot.js', 'uPlot.css']) {
      const { status, headers } = await anonymous.get(`/dashboard/${name}`)
      t.equal(status, 200, name)
      t.equal(headers['content-security-policy'], policy)
    }
    t.notMatch(page.text, /<script(?![^>]*src=)|<style|\son\w+=|style="/, 'nothing inline')
  })

  await t.test('a copy that is current is not sent again; gzip for who takes it', async (t) => {
    const first = await anonymous.get('/dashboard/main.js')
    const { etag = '' } = first.headers
    t.equal((await anonymous.get('/dashboard/main.js', { 'if-none-match': etag })).status, 304)
    t.equal((await anonymous.get('/dashboard/main.js', { 'if-none-match': `"x", ${etag}` })).status, 304)
    t.equal((await anonymous.get('/dashboard/main.js', { 'if-none-match': '"x"' })).status, 200)
    const packed = await anonymous.get('/dashboard/main.js', { 'accept-encoding': 'gzip' })
    t.equal(packed.headers['content-encoding'], 'gzip')
    t.equal(packed.text, first.text)
    t.equal(first.headers['content-encoding'], undefined)
  })

  await t.test('no other name leads anywhere, and nothing is written there', async (t) => {
    for (const name of [
      'nothing.js',
      'types.d.ts',
      'tsconfig.json',
      '..%2fpackage.json',
      '%2e%2e%2fapp.ts',
      '%00',
      '__proto__',
    ]) {
      t.match(await anonymous.get(`/dashboard/${name}`), { status: 404, body: { statusCode: 404 } }, name)
    }
    t.equal((await admin.post('/dashboard', {})).status, 405)
  })
})
