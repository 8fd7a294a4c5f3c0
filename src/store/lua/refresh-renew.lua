#!lua
-- with: gate
-- Prolongs a lease that is still ours, and its place at the server's gate; a lapsed one that nobody took is still ours.
--
-- KEYS  1 grant      ARGV  1 attempt  2 lease (ms)  3 clock offset (ms)
-- Answers 1, or 0 where it is another's by now.
local g = redis.call('HMGET', KEYS[1], 'lease', 'server')
if g[1] ~= ARGV[1] then return 0 end
local ends = string.format('%.0f', now_ms() + tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'lease_until', ends)
redis.call('ZADD', gate_key(prefix_of(KEYS[1]), g[2]) .. ':running', 'XX', ends, ARGV[1])
return 1
