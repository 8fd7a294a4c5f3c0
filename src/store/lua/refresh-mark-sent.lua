#!lua
-- The point of no return: noted before the first byte leaves.
--
-- KEYS  1 grant      ARGV  1 attempt  2 lease (ms)  3 clock offset (ms)
-- Answers 1, or 0 where the lease is another's by now: then nothing may be sent.
local now = now_ms()
if redis.call('HGET', KEYS[1], 'lease') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'intent', 'sent', 'sent_at', string.format('%.0f', now), 'lease_until', string.format('%.0f', now + tonumber(ARGV[2])))
return 1
