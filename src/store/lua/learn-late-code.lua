#!lua
-- Notes that an authorization code of this age came too late. The youngest of those that still count is kept.
--
-- KEYS  1 server gate      ARGV  1 age (ms)  2 how long what was learned counts (ms)  3 clock offset (ms)
local now = now_ms()
local g = redis.call('HMGET', KEYS[1], 'code_late', 'code_late_at')
local counts = g[1] and now - tonumber(g[2]) < tonumber(ARGV[2])
if counts and tonumber(g[1]) <= tonumber(ARGV[1]) then return end
redis.call('HSET', KEYS[1], 'code_late', ARGV[1], 'code_late_at', string.format('%.0f', now))
