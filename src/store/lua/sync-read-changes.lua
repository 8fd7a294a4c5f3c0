#!lua flags=no-writes
-- Reads changes, and whether any that would have come before them are gone.
--
-- KEYS  1 sync  2 changes
-- ARGV  1 id to read behind or ''  2 limit  3 clock offset (ms)
-- Answers { floor or '', entries }
local floor = redis.call('HGET', KEYS[1], 'floor') or ''
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
return { floor, redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', ARGV[2]) }
