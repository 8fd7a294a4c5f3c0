#!lua
-- with: gate containment restore
-- Takes a grant's lease and writes the intent `planned` before anything leaves, so Redis is known to be writable when
-- the answer arrives (design §3.7). Idempotent by attempt.
--
-- KEYS  1 grant
-- ARGV  1 attempt  2 lease (ms)  3 provider deadline (ms)  4 why: expired|rejected|due  5 min ttl (ms) or fingerprint
--       6 what an operator says of the rotation: survives | not | unknown  7 the server's configuration generation
--       8 concurrency  9 of which background  10 calls a second  11 burst  12 lapse (ms)  13 warning before it (ms)
--       14 retries that may be owed  15 clock offset (ms)
-- Answers:
--   begun server registration gen att rt rt_att rt_fp refusals refused_at used_at begun_at
--   restoring: the organisation was put back to an earlier state (F33)
--   fresh | held ms | cooling ms problem | gated ms why | lapsed | not_refreshable | gone | state state
--   unverified gen at at_att: nothing to refresh, iManage has not said yet whose it is
-- An access token with less life left may end while iManage is asked about it.
local UNVERIFIED_LEFT_MS = 30000

local now = now_ms()
local key = KEYS[1]
local g = redis.call('HMGET', key, 'state', 'rt', 'rt_fp', 'rt_att', 'at_exp', 'at_fp', 'lease', 'lease_until', 'intent',
  'sent_at', 'gen', 'att', 'retry_at', 'problem', 'refusals', 'refused_at', 'used_at', 'server', 'registration', 'due_at', 'at',
  'consented_at', 'calls', 'lapsing', 'consent', 'refreshed_at', 'rt_exp', 'imported', 'import_exp', 'at_att')
if not g[1] then return { 'gone' } end

-- Back in the schedule, not all at once.
local function put_off(prefix, grant, at)
  local name = string.match(grant, '[^:]+$')
  local spread = 0
  for i = -6, -1 do spread = (spread * 31 + string.byte(name, i)) % 5000 end
  redis.call('HSET', grant, 'due_at', whole(at + spread))
  redis.call('ZADD', prefix .. 'due:refresh', whole(at + spread), name)
end

local function begun(att, at)
  return { 'begun', g[18], g[19], g[11], att, g[2], g[4], g[3], g[15] or '0', g[16] or '', g[17] or '', whole(at) }
end

if g[7] == ARGV[1] then return begun(g[12], tonumber(g[8]) - tonumber(ARGV[2])) end
if g[1] ~= 'active' and g[1] ~= 'suspect' then return { 'state', g[1] } end
if not g[2] then return { 'not_refreshable' } end
if restore_mode(prefix_of(key)) then
  if ARGV[4] == 'due' then put_off(prefix_of(key), key, now + 60000) end
  return { 'restoring' }
end

if ARGV[4] == 'expired' and g[21] and tonumber(g[5]) - now >= tonumber(ARGV[5]) then return { 'fresh' } end
if ARGV[4] == 'rejected' and g[6] ~= ARGV[5] then return { 'fresh' } end
if ARGV[4] == 'due' and tonumber(g[20] or '0') > now then return { 'fresh' } end

if g[7] and tonumber(g[8]) > now then return { 'held', tonumber(g[8]) - now } end
local prefix = prefix_of(key)
local id = string.match(key, '[^:]+$')
local survives = ARGV[6] == 'survives' or (ARGV[6] == 'unknown' and gate_survives_reuse(prefix, g[18]))
if g[9] == 'sent' and not survives then
  -- A holder died or gave up after its request left. A strict server may have rotated: wait until no answer can come.
  local wait = tonumber(g[10]) + tonumber(ARGV[3]) - now
  if wait > 0 then return { 'cooling', wait, 'refresh_pending' } end
end
if g[13] and tonumber(g[13]) > now then return { 'cooling', tonumber(g[13]) - now, g[14] or '' } end

if ARGV[4] == 'due' and stopped_by(prefix, redis.call('HGET', prefix .. 'gate', 'windows'), { server = g[18], grant = id, gen = g[11],
  user = g[25], consented_at = g[22] }) then
  -- Nobody may have its tokens: it is only kept from dying, so that lifting the containment gives it back alive.
  local last = math.max(tonumber(g[26] or '0'), tonumber(g[22] or '0'))
  local due = last + math.min(7 * 86400000, (tonumber(g[27] or '0') - last) / 4)
  if due > now then
    redis.call('HSET', key, 'due_at', whole(due))
    redis.call('ZADD', prefix .. 'due:refresh', whole(due), id)
    return { 'fresh' }
  end
end

-- What the first refresh of an imported grant brought is here: iManage is asked whose it is, and nothing is spent for that.
if g[28] == 'unverified' and g[21] and tonumber(g[29] or '0') - now > UNVERIFIED_LEFT_MS then
  return { 'unverified', g[11], g[21], g[30] }
end

if ARGV[4] == 'due' then
  -- Nobody has used it for so long that it is let go: its owner is warned first, and whoever asks again revives it.
  local idle = now - math.max(tonumber(g[17] or '0'), tonumber(g[22] or '0'))
  if idle > tonumber(ARGV[12]) then
    redis.call('ZREM', prefix .. 'due:refresh', id)
    redis.call('HDEL', key, 'due_at')
    timeline(prefix, now, id, 'grant.lapsed', 'unused for ' .. math.floor(idle / 86400000) .. ' days')
    return { 'lapsed' }
  elseif idle > tonumber(ARGV[12]) - tonumber(ARGV[13]) and not g[24] then
    redis.call('HSET', key, 'lapsing', whole(now))
    timeline(prefix, now, id, 'grant.lapsing', 'unused for ' .. math.floor(idle / 86400000) .. ' days')
    emit_grant(prefix, now, 'grant.expiring', id, g[18], bindings_of(prefix, id),
      { 'reason', 'unused', 'ends_at', whole(now - idle + tonumber(ARGV[12])) })
  end
end

local limits = { concurrency = tonumber(ARGV[8]), background = tonumber(ARGV[9]), per_second = tonumber(ARGV[10]), burst = tonumber(ARGV[11]),
  retries = tonumber(ARGV[14]) }
local why, wait = gate_admit(prefix, now, g[18], ARGV[1], tonumber(ARGV[2]), ARGV[4] == 'due', ARGV[7], limits, g[9] == 'sent')
if why then
  if ARGV[4] == 'due' then
    -- Back in the schedule, behind those that can go: a server that is closed must not stand in front of others. Where a
    -- place is free in a moment, whoever has one takes this grant next.
    if why ~= 'busy' then
      put_off(prefix, key, now + math.max(wait, 1000))
    else
      local due = whole(now + wait)
      redis.call('HSET', key, 'due_at', due)
      redis.call('ZADD', prefix .. 'due:refresh', due, id)
    end
  end
  return { 'gated', math.ceil(wait), why }
end
if g[9] == 'sent' then timeline(prefix, now, id, 'refresh.answer_lost', 'an earlier request left and its answer never came') end

local att = redis.call('HINCRBY', key, 'att', 1)
redis.call('HSET', key, 'lease', ARGV[1], 'lease_until', string.format('%.0f', now + tonumber(ARGV[2])), 'intent', 'planned',
  'intent_parent', g[3])
redis.call('HDEL', key, 'sent_at')
if ARGV[4] == 'rejected' then redis.call('HSET', key, 'forced_at', string.format('%.0f', now)) end
return begun(att, now)
