#!lua
-- Tells one subscription an event that nothing else has brought about. Few of one client within ten minutes: the log keeps so many
-- events of an organisation, and what one client asks for must not push out what others have yet to read.
--
-- KEYS  1 gate  2 the client's tests
-- ARGV  1 subscription  2 client  3 how many within ten minutes  4 clock offset (ms)
-- Answers { number, at }, or { '', ms until the next one may be }; nothing where the organisation is no more.
local WITHIN_MS = 600000
local now, prefix = now_ms(), prefix_of(KEYS[1])
local text = function(n) return string.format('%.0f', n) end
if redis.call('EXISTS', prefix .. 'shredded') == 1 then return false end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(now))
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then
  return { '', text(redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] - now) }
end
emit(prefix, now, 'test', { 'to', ARGV[1], 'client', ARGV[2] })
local number = redis.call('HGET', KEYS[1], 'events')
redis.call('ZADD', KEYS[2], text(now + WITHIN_MS), number)
redis.call('PEXPIRE', KEYS[2], WITHIN_MS)
return { number, text(now) }
