#!lua
-- Prolongs a lease that is still ours; a lapsed one that nobody took is still ours.
--
-- KEYS  1 grant      ARGV  1 attempt  2 lease (ms)  3 clock offset (ms)
-- Answers 1, or 0 where it is another's by now.
if redis.call('HGET', KEYS[1], 'lease') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'lease_until', string.format('%.0f', now_ms() + tonumber(ARGV[2])))
return 1
