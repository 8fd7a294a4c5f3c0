#!lua
-- Begins a diagnosis of a server: one at a time, and not sooner than an interval after the last beginning.
--
-- KEYS  1 diagnosis
-- ARGV  1 holder  2 how long it may take (ms)  3 least interval (ms)  4 clock offset (ms)
-- Answers {begun | running | too_soon, how long to wait (ms)}
local now = now_ms()
local d = redis.call('HMGET', KEYS[1], 'holder', 'until', 'begun_at')
local left = tonumber(d[2] or '0') - now
if d[1] and left > 0 then return { 'running', left } end
local wait = tonumber(d[3] or '0') + tonumber(ARGV[3]) - now
if d[3] and wait > 0 then return { 'too_soon', wait } end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', string.format('%.0f', now + tonumber(ARGV[2])),
  'begun_at', string.format('%.0f', now))
return { 'begun', 0 }
