#!lua flags=allow-oom
-- with: gate
-- Gives a lease back when nothing was sent. Works when Redis is full.
--
-- KEYS  1 grant      ARGV  1 grant id  2 attempt  3 clock offset (ms)
-- Answers 1, or 0 where it is another's by now, or the request has left.
local g = redis.call('HMGET', KEYS[1], 'lease', 'intent', 'server')
if g[1] ~= ARGV[2] or g[2] ~= 'planned' then return 0 end
redis.call('HDEL', KEYS[1], 'lease', 'lease_until', 'intent', 'intent_parent')
gate_leave(prefix_of(KEYS[1]), g[3], ARGV[2])
redis.call('PUBLISH', 'b1:refresh-outcome', ARGV[1] .. ' released')
return 1
