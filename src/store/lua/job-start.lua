#!lua
-- Counts a start of work on a grant or sync before the work begins, or says that it got somewhere: then only the start
-- under way counts.
--
-- KEYS  1 starts
-- ARGV  1 begun | progressed  2 forgotten after (ms)  3 clock offset (ms)
-- Answers how many starts count.
if ARGV[1] == 'progressed' then redis.call('HSET', KEYS[1], 'starts', 1) else redis.call('HINCRBY', KEYS[1], 'starts', 1) end
redis.call('HDEL', KEYS[1], 'until')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return tonumber(redis.call('HGET', KEYS[1], 'starts'))
