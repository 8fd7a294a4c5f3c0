#!lua
-- Tells one subscription an event that nothing else has brought about.
--
-- KEYS  1 gate
-- ARGV  1 subscription  2 client  3 clock offset (ms)
-- Answers { number, at }; nothing where the organisation is no more.
local now, prefix = now_ms(), prefix_of(KEYS[1])
if redis.call('EXISTS', prefix .. 'shredded') == 1 then return false end
emit(prefix, now, 'test', { 'to', ARGV[1], 'client', ARGV[2] })
return { redis.call('HGET', KEYS[1], 'events'), string.format('%.0f', now) }
