#!lua flags=allow-oom
-- Marks a store that nobody has marked.
--
-- KEYS  1 format
-- ARGV  1 the format  2 version of who marks it  last clock offset (ms)
-- Answers format, since, by, as they are then.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'by', ARGV[2], 'since', string.format('%.0f', now_ms()))
end
return redis.call('HMGET', KEYS[1], 'format', 'since', 'by')
