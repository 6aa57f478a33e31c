import { type DesignBody, DOCUMENTS_PER_SHOP, newDesign, nextCounter, Shop } from './catalogue.js'
import { type HttpAnswer, HttpConnection, type HttpRequest } from '../helpers/http-connection.js'

/** Users with a token and their documents, made through one replica before anything is judged. */
export async function makeShops(options: {
  readonly port: number
  readonly adminToken: string
  readonly shops: number
}): Promise<Shop[]> {
  const { adminToken } = options
  const connection = new HttpConnection(options.port)
  const shops: Shop[] = []
  for (let n = 0; n < options.shops; n++) {
    const person = { email: `shop-${n}@example.com`, shop_name: `Shop ${n}` }
    const user = await post(connection, '/api/users', adminToken, person)
    const { id } = JSON.parse(user.text) as { id: string }
    const issued = await post(connection, `/api/users/${id}/tokens`, adminToken, { name: 'main' })
    const shop = new Shop(id, (JSON.parse(issued.text) as { token: string }).token)
    for (let d = 0; d < DOCUMENTS_PER_SHOP; d++) {
      const made = await post(connection, '/api/designs', shop.token, newDesign(nextCounter()))
      shop.created(JSON.parse(made.text) as DesignBody, made.endedAt)
    }
    shops.push(shop)
  }
  connection.close()
  return shops
}

async function post(connection: HttpConnection, path: string, token: string, body: object): Promise<HttpAnswer> {
  const request: HttpRequest = { method: 'POST', path, token, body }
  const answer = await connection.send(request)
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`)
  return answer
}
