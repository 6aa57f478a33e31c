import { createHash } from 'node:crypto'

/** A Lua script and the name Redis knows it by. */
export interface Script {
  readonly text: string
  readonly sha: string
}

function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

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
 * Before loads: returns the stamps to load under, and for each load the entry if there is a valid one after all, or else
 * takes its lease if that is free (or held by the load that this one supersedes). An absent tag, or one below what this
 * replica heard of, is set to that version under a new incarnation first, so that no entry is valid that is behind that.
 * Every tag's lifetime starts anew, so that it outlives the entry about to be filled.
 *
 * KEYS entry… lease… tag…   ARGV loads leaseMs lifetimeMs incarnation
 * then per load: leaseId (empty: none is wanted) supersededId (empty: none)
 * and `freshAfter number…`: the wall-clock ms that the entry must be fresh after (-1: none will do), its tags' numbers
 * then per tag: the version heard of
 * reply: per load the entry's text, or 1 (may load) or 0 (another holds the lease); then a stamp a tag
 */
export const BEGIN = script(`
${VERSION_OF}
local loads = tonumber(ARGV[1])
local tags = #KEYS - 2 * loads
local looked = {}
for i = 1, loads do looked[i] = KEYS[i] end
for i = 1, tags do looked[loads + i] = KEYS[2 * loads + i] end
local held = redis.call('MGET', unpack(looked))
local stamps = {}
for i = 1, tags do
  local key = KEYS[2 * loads + i]
  local heard = ARGV[4 + 3 * loads + i]
  stamps[i] = held[loads + i]
  if not stamps[i] or versionOf(stamps[i]) < tonumber(heard) then
    stamps[i] = heard .. ':' .. ARGV[4]
    redis.call('SET', key, stamps[i], 'PX', ARGV[3])
  else
    redis.call('PEXPIRE', key, ARGV[3])
  end
end
local function isValid(entry, wanted)
  local freshAfter, numbers = string.match(wanted, '^(%S+)(.*)')
  if freshAfter == '-1' then return false end
  local freshUntil, its = string.match(entry, '^%S+ (%S+) %S+ %S*([^\\n]*)')
  local current = string.gsub(numbers, '%d+', function(number) return stamps[tonumber(number)] end)
  return its == current and (tonumber(freshUntil) or -1) > tonumber(freshAfter)
end
local function takesLease(key, leaseId, supersededId)
  if leaseId == '' or redis.call('SET', key, leaseId, 'NX', 'PX', ARGV[2]) then return true end
  if supersededId == '' or redis.call('GET', key) ~= supersededId then return false end
  return redis.call('SET', key, leaseId, 'PX', ARGV[2])
end
local reply = {}
for i = 1, loads do
  if held[i] and isValid(held[i], ARGV[4 + 3 * i]) then
    reply[i] = held[i]
  else
    reply[i] = takesLease(KEYS[loads + i], ARGV[2 + 3 * i], ARGV[3 + 3 * i]) and 1 or 0
  end
end
for i = 1, tags do reply[loads + i] = stamps[i] end
return reply
`)

/**
 * After loads: stores each entry only if every one of its tags still equals its stamp, and gives the lease back if it
 * is still that load's.
 *
 * KEYS entry… lease… tag…   ARGV entries stamp… then per entry: value lifetimeMs leaseId its tags' numbers ("1 3")
 * reply: 0|1 an entry
 */
export const FILL = script(`
local entries = tonumber(ARGV[1])
local tags = #KEYS - 2 * entries
if entries == 0 then return {} end
local held = redis.call('MGET', unpack(KEYS, entries + 1))
local reply = {}
local over = {}
for i = 1, entries do
  local at = 1 + tags + 4 * (i - 1)
  reply[i] = 1
  for number in string.gmatch(ARGV[at + 4], '%d+') do
    if held[entries + number] ~= ARGV[1 + number] then reply[i] = 0 end
  end
  if reply[i] == 1 then redis.call('SET', KEYS[i], ARGV[at + 1], 'PX', ARGV[at + 2]) end
  if held[i] == ARGV[at + 3] then over[#over + 1] = KEYS[entries + i] end
end
if #over > 0 then redis.call('DEL', unpack(over)) end
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
