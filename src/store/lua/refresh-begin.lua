#!lua
-- Takes a grant's lease and writes the intent `planned` before anything leaves, so Redis is known to be writable when
-- the answer arrives (design §3.7). Idempotent by attempt.
--
-- KEYS  1 grant
-- ARGV  1 attempt  2 lease (ms)  3 provider deadline (ms)  4 why: expired|rejected|due  5 min ttl (ms) or fingerprint
--       6 the server survives reuse of a refresh token 0|1  7 clock offset (ms)
-- Answers:
--   begun server registration gen att rt rt_att rt_fp refusals refused_at used_at
--   fresh | held ms | cooling ms problem | not_refreshable | gone | state state
local now = now_ms()
local key = KEYS[1]
local g = redis.call('HMGET', key, 'state', 'rt', 'rt_fp', 'rt_att', 'at_exp', 'at_fp', 'lease', 'lease_until', 'intent',
  'sent_at', 'gen', 'att', 'retry_at', 'problem', 'refusals', 'refused_at', 'used_at', 'server', 'registration', 'due_at', 'at')
if not g[1] then return { 'gone' } end

local function begun(att)
  return { 'begun', g[18], g[19], g[11], att, g[2], g[4], g[3], g[15] or '0', g[16] or '', g[17] or '' }
end

if g[7] == ARGV[1] then return begun(g[12]) end
if g[1] ~= 'active' and g[1] ~= 'suspect' then return { 'state', g[1] } end
if not g[2] then return { 'not_refreshable' } end

if ARGV[4] == 'expired' and g[21] and tonumber(g[5]) - now >= tonumber(ARGV[5]) then return { 'fresh' } end
if ARGV[4] == 'rejected' and g[6] ~= ARGV[5] then return { 'fresh' } end
if ARGV[4] == 'due' and tonumber(g[20] or '0') > now then return { 'fresh' } end

if g[7] and tonumber(g[8]) > now then return { 'held', tonumber(g[8]) - now } end
if g[9] == 'sent' and ARGV[6] == '0' then
  -- A holder died or gave up after its request left. A strict server may have rotated: wait until no answer can come.
  local wait = tonumber(g[10]) + tonumber(ARGV[3]) - now
  if wait > 0 then return { 'cooling', wait, 'refresh_pending' } end
end
if g[13] and tonumber(g[13]) > now then return { 'cooling', tonumber(g[13]) - now, g[14] or '' } end

local att = redis.call('HINCRBY', key, 'att', 1)
redis.call('HSET', key, 'lease', ARGV[1], 'lease_until', string.format('%.0f', now + tonumber(ARGV[2])), 'intent', 'planned',
  'intent_parent', g[3])
redis.call('HDEL', key, 'sent_at')
if ARGV[4] == 'rejected' then redis.call('HSET', key, 'forced_at', string.format('%.0f', now)) end
return begun(att)
