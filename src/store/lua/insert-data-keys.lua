#!lua flags=allow-oom
-- Stores an owner's first data keys, unless it has some, or had: what was shredded does not come back to life (T28).
--
-- KEYS  1 data keys  2 tombstone      ARGV  1 data keys (JSON)  2 clock offset (ms)
-- Answers what is stored, or shredded
if redis.call('EXISTS', KEYS[2]) == 1 then return 'shredded' end
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
