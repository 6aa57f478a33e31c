import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from './config.js'

export interface WelcomeOptions {
  /** Does a person read what is written here? */
  readonly isTerminal?: boolean
}

/** At a terminal the start ends with what to open, and how to get a token. */
export default fp<WelcomeOptions>(
  async (fastify, { isTerminal = process.stdout.isTTY }) => {
    if (!isTerminal) return
    fastify.addHook('onListen', function () {
      fastify.log.info(welcome(fastify))
    })
  },
  { name: 'welcome', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)

function welcome(fastify: FastifyInstance): string {
  const base = urlOf(fastify)
  const pages = [
    ...(fastify.hasRoute({ method: 'GET', url: '/dashboard' }) ? [`dashboard ${base}/dashboard`] : []),
    `API reference ${base}/docs`,
    `API ${base}/api`,
  ]
  return `Ready: ${pages.join(', ')}. ${adminToken(fastify.config)}; with it POST /api/users, then POST /api/users/<id>/tokens, make a user's token`
}

function adminToken({ isAdminTokenMade, dataDir }: Config): string {
  return isAdminTokenMade
    ? `The admin token is in ${join(dataDir, 'admin-token')}`
    : 'An admin token is one of ADMIN_TOKENS'
}

/** As a browser on this machine reaches it. */
function urlOf({ server, config: { host, port } }: FastifyInstance): string {
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  const name = ['::', '0.0.0.0', '::1', '127.0.0.1'].includes(host)
    ? 'localhost'
    : host.includes(':')
      ? `[${host}]`
      : host
  return `http://${name}:${bound}`
}
