import { certificateFor, tlsArguments } from '../../helpers/servers/certificates.js'
import { startPostgres } from '../../helpers/servers/postgres.js'
import { startRedis } from '../../helpers/servers/redis.js'
import { freePort } from '../../helpers/servers/servers.js'
import type { Engine } from '../drill.js'
import { type Fault, faults } from '../faults.js'
import type { Servers } from '../stage.js'
import { roundsOf } from './rounds.js'

const NAMES = [
  'Redis killed, back empty',
  'link to Redis cut',
  'link to Redis black-holed, replies',
  'Redis stopped (SIGSTOP)',
]
/** What docs/operations.md says that a user needs. */
const RIGHTS = ['~roundhouse:*', '+get', '+mget', '+set', '+del', '+ping']
const [USER, PASSWORD] = ['drill', 'a-password-of-the-drill']

/** TLS with a certificate that is verified, a user of an ACL with a password and no more rights than it needs. */
export function redisTls(): Engine {
  const start = async (): Promise<Servers> => {
    const [certificates, tlsPort] = [certificateFor('localhost'), await freePort()]
    const acl = ['--user', USER, 'on', `>${PASSWORD}`, ...RIGHTS]
    const args = [...tlsArguments(certificates, tlsPort), ...acl]
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis({ args })])
    return {
      postgres,
      redis,
      linkedRedisPort: tlsPort,
      databaseUrl: await postgres.createDatabase(),
      env: ({ redisPort }) => ({
        REDIS_URL: `rediss://${USER}:${PASSWORD}@localhost:${redisPort}`,
        NODE_EXTRA_CA_CERTS: certificates.ca,
      }),
      stop: async () => void (await Promise.all([redis.stop(), postgres.stop()])),
    }
  }
  const own: Record<string, Fault> = Object.fromEntries(Object.entries(faults).filter(([name]) => NAMES.includes(name)))
  return { start, faults: own, rounds: roundsOf(own, 1) }
}
