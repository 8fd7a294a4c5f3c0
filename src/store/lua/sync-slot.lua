#!lua
-- Takes one of a client's slots for something of which few may go on at once, or keeps it. Kept no longer than said, so that a
-- process that dies blocks nobody.
--
-- KEYS  1 slots
-- ARGV  1 who  2 at most so many  3 kept for (ms)  4 clock offset (ms)
-- Answers -1: held; or the milliseconds after which one may be free
local now = now_ms()
local text = function(n) return string.format('%.0f', n) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return math.max(1, tonumber(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]) - now)
end
redis.call('ZADD', KEYS[1], text(now + tonumber(ARGV[3])), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return -1
