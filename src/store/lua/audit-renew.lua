#!lua flags=allow-oom
-- Whoever still holds a journal's head holds it longer, or lets it go.
--
-- KEYS  1 head
-- ARGV  1 fence  2 for how long (ms), 0: not any more  3 clock offset (ms)
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('HDEL', KEYS[1], 'owner', 'until') end
if redis.call('HEXISTS', KEYS[1], 'owner') == 0 then return 0 end
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now_ms() + tonumber(ARGV[2])))
return 1
