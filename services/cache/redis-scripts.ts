import { createHash } from 'node:crypto'

/** A Lua script and the name Redis knows it by. */
export interface Script {
  readonly text: string
  readonly sha: string
}

function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/** What lies in place of a lease for a while after a load was stored: who has read before it should look again. */
export const FILLED = 'filled'

/** What is no stamp is below every version, so that the next raise or begin mends it. */
const VERSION_OF = `local function versionOf(stamp) return tonumber(string.match(stamp, '^%d+') or -1) end`

/**
 * Makes tags at least a version. A tag key holds `<version>:<incarnation>`; a lower or absent one gets the version and
 * a new incarnation, a higher one stays. Idempotent and commutative: any replica, any order, any number of times.
 *
 * KEYS tag…   ARGV lifetimeMs incarnation version…   reply: how many tags were raised
 */
export const RAISE = script(`
${VERSION_OF}
local raised = 0
for i = 1, #KEYS do
  local held = redis.call('GET', KEYS[i])
  local version = ARGV[i + 2]
  if not held or versionOf(held) < tonumber(version) then
    redis.call('SET', KEYS[i], version .. ':' .. ARGV[2], 'PX', ARGV[1])
    raised = raised + 1
  end
end
return raised
`)

/**
 * Before loads: takes the leases that are free (or held by the load that one of these supersedes) and returns the
 * stamps to load under. A lease whose last holder has stored its load a moment ago is taken, and said to be such. An absent tag, or one below what this replica heard of, is set to that version under a new incarnation.
 * Every tag's lifetime starts anew, so that it outlives the entry about to be filled.
 *
 * KEYS lease… tag…   ARGV leases leaseMs lifetimeMs incarnation, a leaseId and a supersededId per lease, heard…
 * reply: 0|1 a lease (2: stored a moment ago), a stamp a tag
 */
export const BEGIN = script(`
${VERSION_OF}
local leases = tonumber(ARGV[1])
local reply = {}
for i = 1, leases do
  reply[i] = 0
  local superseded = ARGV[4 + 2 * i]
  local holder = redis.call('GET', KEYS[i])
  if not holder or holder == '${FILLED}' or (superseded ~= '' and holder == superseded) then
    redis.call('SET', KEYS[i], ARGV[3 + 2 * i], 'PX', ARGV[2])
    reply[i] = holder == '${FILLED}' and 2 or 1
  end
end
for i = 1, #KEYS - leases do
  local key = KEYS[leases + i]
  local held = redis.call('GETEX', key, 'PX', ARGV[3])
  local heard = ARGV[4 + 2 * leases + i]
  if not held or versionOf(held) < tonumber(heard) then
    held = heard .. ':' .. ARGV[4]
    redis.call('SET', key, held, 'PX', ARGV[3])
  end
  reply[leases + i] = held
end
return reply
`)

/**
 * After loads: stores each entry only if every one of its tags still equals its stamp, and gives the lease back if it
 * is still that load's, with a mark in its place if the entry was stored.
 *
 * KEYS entry… lease… tag…   ARGV entries markMs stamp… then per entry: value lifetimeMs leaseId its tags' numbers ("1 3")
 * reply: 0|1 an entry
 */
export const FILL = script(`
local entries = tonumber(ARGV[1])
local tags = #KEYS - 2 * entries
local equal = {}
for i = 1, tags do
  equal[i] = redis.call('GET', KEYS[2 * entries + i]) == ARGV[2 + i]
end
local reply = {}
for i = 1, entries do
  local at = 2 + tags + 4 * (i - 1)
  reply[i] = 1
  for number in string.gmatch(ARGV[at + 4], '%d+') do
    if not equal[tonumber(number)] then reply[i] = 0 end
  end
  if reply[i] == 1 then
    redis.call('SET', KEYS[i], ARGV[at + 1], 'PX', ARGV[at + 2])
  end
  if redis.call('GET', KEYS[entries + i]) == ARGV[at + 3] then
    if reply[i] == 1 then
      redis.call('SET', KEYS[entries + i], '${FILLED}', 'PX', ARGV[2])
    else
      redis.call('DEL', KEYS[entries + i])
    end
  end
end
return reply
`)

/** Gives a lease back after a load that failed. KEYS lease   ARGV leaseId */
export const RELEASE = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

/**
 * Vouches that Redis has everything the journal held when a tail began, until a moment on Redis's own clock: a command
 * that was held up on its way can't vouch for later. Never shortens another replica's voucher.
 *
 * KEYS voucher   ARGV clearVersion validUntilMs (0: only ask the time)   reply: Redis's time in ms
 */
export const VOUCH = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left = tonumber(ARGV[2]) - now
if left > 0 and redis.call('PTTL', KEYS[1]) < left then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', left)
end
return now
`)

export const ALL_SCRIPTS: readonly Script[] = [RAISE, BEGIN, FILL, RELEASE, VOUCH]
