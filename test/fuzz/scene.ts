import { setTimeout as pause } from 'node:timers/promises'
import { type Cast, EXTERNAL_IDS, learn, type Tenant } from './cast.js'
import { SMUGGLED } from './wire.js'

/** The service that is asked, however it was started. */
export interface Service {
  readonly port: number
  /** What it has logged so far. */
  log(): string
}

export const ADMIN_TOKENS = {
  admin: 'an-admin-token-that-nobody-tells-0123456789',
  looker: 'a-token-that-looks-and-nobody-tells-0123456',
  scraper: 'a-token-that-scrapes-nobody-tells-0123456789',
} as const

export const ADMIN_TOKENS_SETTING = [
  ADMIN_TOKENS.admin,
  `looker:read:${ADMIN_TOKENS.looker}`,
  `scraper:metrics:${ADMIN_TOKENS.scraper}`,
].join(',')

/** One call that has to succeed. */
export type Call = (token: string, method: string, path: string, body?: object) => Promise<string>

export function callOf({ port }: Service): Call {
  return async (token, method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text
  }
}

/** Tenants with rows of every resource, each with the same names for them. */
export async function castOf(call: Call): Promise<Cast> {
  const { admin } = ADMIN_TOKENS
  const make = async (name: string): Promise<Tenant> => {
    const mark = `only-${name}s-${Math.random().toString(36).slice(2, 10)}`
    const body = { email: `${name}@example.com`, shop_name: mark }
    const { id } = idIn(await call(admin, 'POST', '/api/users', body))
    const issued = await call(admin, 'POST', `/api/users/${id}/tokens`, { name: 'used' })
    const { token } = JSON.parse(issued) as { token: string }
    const tenant: Tenant = { id, token, mark, ids: new Map() }
    const add = async (kind: string, path: string, row: object): Promise<string> => {
      const made = idIn(await call(kind === 'tokens' ? admin : token, 'POST', path, row)).id
      learn(tenant, kind, made)
      return made
    }
    learn(tenant, 'users', id)
    // The token that is used is in no list of ids: nobody revokes it.
    await add('tokens', `/api/users/${id}/tokens`, { name: 'spare' })
    for (const externalId of EXTERNAL_IDS.slice(0, 3)) {
      const common = { external_id: externalId, platform: 'etsy' }
      const template = { ...common, name: externalId, title: mark, product_type: 'mug' }
      const templateId = await add('templates', '/api/templates', template)
      await add('designs', '/api/designs', {
        ...common,
        filename: 'a.png',
        file_path: '/a.png',
        description: mark,
        tags: [mark],
      })
      await add('mockups', '/api/mockups', { external_id: externalId, name: mark, template_id: templateId })
    }
    return tenant
  }
  const cast = {
    alice: await make('alice'),
    bob: await make('bob'),
    victim: await make('victim'),
    doomed: await make('doomed'),
    ordinary: await make('ordinary'),
  }
  return { ...cast, tokens: { ...ADMIN_TOKENS, alice: cast.alice.token, bob: cast.bob.token } }
}

/** Everything that a tenant can read of theirs, as text. */
export async function belongingsOf(call: Call, { id, token }: Tenant): Promise<string[]> {
  const paths = ['/api/users/me', `/api/users/${id}/tokens`, '/api/designs', '/api/templates', '/api/mockups']
  const texts: string[] = []
  for (const path of paths) texts.push(await call(token, 'GET', path))
  return texts
}

/** Requests that got in within another one: the external_ids of the rows they made. */
export async function smuggledRows(call: Call, tenants: readonly Tenant[]): Promise<string[]> {
  const found: string[] = []
  for (const { token } of tenants) {
    const text = await call(token, 'GET', '/api/designs/export')
    found.push(...[...text.matchAll(new RegExp(`"(${SMUGGLED}\\d+)"`, 'g'))].map(([, name = '']) => name))
  }
  return found
}

/** Resident memory in bytes, after the garbage of the last requests had a moment to go. */
export async function residentBytes(call: Call): Promise<number> {
  await pause(200)
  const text = await call(ADMIN_TOKENS.admin, 'GET', '/metrics?replica=this')
  return Number(/^roundhouse_process_resident_memory_bytes(?:{[^}]*})? (\S+)/m.exec(text)?.[1])
}

function idIn(text: string): { readonly id: string } {
  return JSON.parse(text) as { id: string }
}
