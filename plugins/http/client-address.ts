import { BlockList, isIP } from 'node:net'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyRequest {
    /** Of the client, as far as it can be known: nobody but the platform's edge is believed about others. */
    readonly clientAddress: string
  }
}

/** Where Railway's edge comes from. It overwrites what a client says in X-Real-IP. */
const EDGE = new BlockList()
EDGE.addSubnet('100.64.0.0', 10, 'ipv4')

/**
 * The address of who asks: X-Real-IP on Railway, if the connection comes from its edge; that of the connection everywhere else, since anybody
 * can send the header.
 */
export default fp(
  async (fastify) => {
    const { deploymentId, replicaId } = fastify.config
    const isOnRailway = deploymentId !== undefined || replicaId !== undefined
    fastify.decorateRequest('clientAddress', {
      getter() {
        const peer = this.socket.remoteAddress ?? ''
        const named = this.headers['x-real-ip']
        if (!isOnRailway || typeof named !== 'string' || isIP(named) === 0) return peer
        return EDGE.check(peer, isIP(peer) === 6 ? 'ipv6' : 'ipv4') ? named : peer
      },
    })
  },
  { name: 'client-address', fastify: '5.x', dependencies: ['config'], decorators: { fastify: ['config'] } },
)
