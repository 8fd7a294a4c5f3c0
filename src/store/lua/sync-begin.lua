#!lua
-- Begins a pass, or goes on with the one under way. Until its first page is stored the sync is due again after the quiet
-- time, so that a run that dies is found.
--
-- KEYS  1 sync  2 due
-- ARGV  1 sync id  2 quiet time (ms)  3 clock offset (ms)
-- Answers { begun, now } | not_due | paused | gone
local now = now_ms()
local text = function(n) return string.format('%.0f', n) end
local s = redis.call('HMGET', KEYS[1], 'state', 'due_at', 'started_at', 'running')
if not s[1] then return 'gone' end
if s[1] == 'paused' then return 'paused' end
-- A run that was killed is gone on with before its quiet time is over.
if tonumber(s[2] or '0') > now and not s[4] then return 'not_due' end

if not s[3] then redis.call('HSET', KEYS[1], 'started_at', text(now)) end
local due = text(now + tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'running', '1', 'due_at', due)
redis.call('ZADD', KEYS[2], due, ARGV[1])
return { 'begun', text(now) }
