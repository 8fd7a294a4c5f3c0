#!lua
-- Takes a grant out of use and answers its refresh token, in one step: from now on it is another system's, and `import open` takes it
-- back with the same token.
--
-- KEYS  1 grant  2 export  3 imports  4 imported
-- ARGV  1 grant id  2 export id  3 actor  4 request id  5 clock offset (ms)
-- Answers { taken, gen, rt, rt_att, owner } | { not_confirmed } | { under_way } | { nothing }
local now = now_ms()
local key = KEYS[1]
local prefix = prefix_of(key)
if not redis.call('HGET', KEYS[2], 'confirmed_by') then return { 'not_confirmed' } end
local g = redis.call('HMGET', key, 'state', 'rt', 'rt_att', 'rt_fp', 'gen', 'owner', 'lease', 'lease_until', 'intent', 'exported', 'server')
local again = g[10] == ARGV[2] and g[1] == 'paused'
if not again and g[1] ~= 'active' and g[1] ~= 'suspect' then return { 'nothing' } end
if not g[2] then return { 'nothing' } end
-- What was sent and not answered may have made this token void.
if (g[7] and tonumber(g[8]) > now) or g[9] == 'sent' then return { 'under_way' } end
if not again then
  redis.call('HDEL', key, 'lease', 'lease_until', 'intent', 'intent_parent', 'due_at')
  redis.call('HSET', key, 'imported', 'held', 'exported', ARGV[2])
  put_state(prefix, ARGV[1], g[1], 'paused')
  redis.call('ZREM', prefix .. 'due:refresh', ARGV[1])
  redis.call('ZREM', prefix .. 'due:expiry', ARGV[1])
  redis.call('HSET', KEYS[3], g[4], ARGV[1])
  redis.call('ZADD', KEYS[4], string.format('%.0f', now), ARGV[1])
  audit(prefix, now, { 'action', 'grant.exported', 'actor', ARGV[3], 'server', g[11], 'grant', ARGV[1], 'request', ARGV[4] })
end
return { 'taken', g[5], g[2], g[3], g[6] }
