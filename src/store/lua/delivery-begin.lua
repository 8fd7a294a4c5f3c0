#!lua
-- with: delivery
-- Takes the lease of a subscription's deliveries. Until it is given back the subscription is due when the lease ends, so that a
-- worker that dies is found.
--
-- KEYS  1 delivery  2 subscription  3 due
-- ARGV  1 id  2 owner  3 lease (ms)  4 clock offset (ms)
-- Answers { gone } | { leased } | { begun, now, fields of the hash }
local now = now_ms()
local d = redis.call('HMGET', KEYS[1], 'lease', 'lease_until')
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return { 'gone' }
end
if d[1] and d[1] ~= ARGV[2] and tonumber(d[2]) > now then return { 'leased' } end
redis.call('HSET', KEYS[1], 'lease', ARGV[2])
holds(KEYS[1], ARGV[2], now, ARGV[3])
redis.call('ZADD', KEYS[3], string.format('%.0f', now + tonumber(ARGV[3])), ARGV[1])
return { 'begun', string.format('%.0f', now), redis.call('HGETALL', KEYS[1]) }
