#!lua flags=allow-oom
-- Destroys an organisation's data keys, leaves a tombstone, and says who did it, in one step: from here nothing of it opens.
--
-- KEYS  1 tombstone  2 data keys  3 rotation
-- ARGV  1 tombstone (JSON)  2 actor  3 name  4 data keys, separated by blanks  5 request id  6 clock offset (ms)
-- Answers 1; 0 where it was done before
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
audit(prefix_of(KEYS[1]), now_ms(), { 'action', 'organisation.shredded', 'actor', ARGV[2], 'name', ARGV[3], 'key', ARGV[4],
  'request', ARGV[5] })
return 1
