import { startPostgres } from './helpers/postgres.js'
import { startRedis } from './helpers/redis.js'
const s = await startPostgres(); const r = await startRedis()
console.log(s.url, r.url)
process.on('SIGTERM', () => void Promise.all([s.stop(), r.stop()]).then(() => process.exit(0)))
setInterval(() => {}, 1000)
