#!lua flags=allow-oom
-- with: delivery
-- Gives the lease back and says when to look again. Where something was told meanwhile, and nothing holds it up, the lease stays.
--
-- KEYS  1 delivery  2 lanes  3 due  4 gate
-- ARGV  1 id  2 owner  3 not before (ms), '' where nothing holds it up  4 clock offset (ms)
-- Answers { ended | more | lost, when it is due or '' }
local now = now_ms()
local text = function(n) return string.format('%.0f', n) end
local d = redis.call('HMGET', KEYS[1], 'lease', 'cursor', 'off')
if d[1] ~= ARGV[2] then return { 'lost', '' } end
if ARGV[3] == '' and tonumber(redis.call('HGET', KEYS[4], 'events') or '0') > tonumber(string.match(d[2], '^%d+')) then return { 'more', '' } end
redis.call('HDEL', KEYS[1], 'lease', 'lease_until', 'held_until')
local due = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
if ARGV[3] ~= '' then
  due = text(now + tonumber(ARGV[3]))
  redis.call('HSET', KEYS[1], 'held_until', due)
end
if not due or d[3] then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return { 'ended', '' }
end
redis.call('ZADD', KEYS[3], due, ARGV[1])
return { 'ended', due }
