#!lua flags=allow-oom
-- Moves a journal's head over entries that are kept elsewhere by now, and so acknowledges them: the head is compared first.
--
-- KEYS  1 gate  2 head
-- ARGV  1 fence  2 from (sequence)  3 to (sequence)  4 hash there  5 clock offset (ms)
-- Answers advanced | lost
local head = redis.call('HMGET', KEYS[2], 'fence', 'sequence')
if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] then return 'lost' end
redis.call('HSET', KEYS[2], 'sequence', ARGV[3], 'hash', ARGV[4])
redis.call('HSET', KEYS[1], 'acked', ARGV[3])
return 'advanced'
