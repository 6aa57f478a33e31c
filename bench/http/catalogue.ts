/** Users, tokens and designs, made over HTTP as a client would make them. */
export interface Account {
  readonly userId: string
  readonly token: string
  readonly designIds: readonly string[]
}

export const ADMIN_TOKEN = 'bench-administrator-0123456789-0123456789'

/** About 1 KiB of JSON each. */
const DESCRIPTION = 'A pattern of leaves in four colours, drawn by hand and printed on cotton. '.repeat(8).trim()

export class Client {
  readonly #origin: string

  constructor(port: number) {
    this.#origin = `http://127.0.0.1:${port}`
  }

  async send<T>(method: string, path: string, token: string, body?: object): Promise<T> {
    const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) }
    const response = await fetch(this.#origin + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  /** The answer as text with its headers. */
  async get(path: string, token: string): Promise<{ text: string; headers: Headers }> {
    const response = await fetch(this.#origin + path, { headers: { authorization: `Bearer ${token}` } })
    return { text: await response.text(), headers: response.headers }
  }

  async makeAccount(name: string, designs: number): Promise<Account> {
    const user = await this.send<{ id: string }>('POST', '/api/users', ADMIN_TOKEN, {
      email: `${name}@example.com`,
      shop_name: 'A shop',
    })
    const { token } = await this.send<{ token: string }>('POST', `/api/users/${user.id}/tokens`, ADMIN_TOKEN, {
      name: 'bench',
    })
    const designIds: string[] = []
    for (let n = 0; n < designs; n++) {
      const design = await this.send<{ id: string }>('POST', '/api/designs', token, designBody(n))
      designIds.push(design.id)
    }
    return { userId: user.id, token, designIds }
  }
}

export function designBody(n: number): object {
  return {
    filename: `design-${n}.png`,
    file_path: `designs/2026/11/design-${n}.png`,
    description: DESCRIPTION,
    tags: ['leaves', 'cotton', 'four colours', 'by hand'],
    platform: 'etsy',
    is_active: true,
    is_digital: false,
  }
}
