#!lua flags=allow-oom
-- An operator has decided on deletions that are held: the sync goes on from another cursor, at once. Only if nothing was stored
-- since he looked. Works when Redis is full.
--
-- KEYS  1 sync  2 due
-- ARGV  1 sync id  2 number of the page that is due  3 cursor (JSON)  4 released | discarded  5 actor  6 request id  7 clock offset (ms)
-- Answers decided | overtaken | gone
local DECISIONS = { released = 'sync.deletions_released', discarded = 'sync.deletions_discarded' }

local now = now_ms()
local at = string.format('%.0f', now)
local s = redis.call('HMGET', KEYS[1], 'state', 'seq', 'client', 'server')
if not s[1] then return 'gone' end
if s[2] ~= ARGV[2] then return 'overtaken' end
redis.call('HSET', KEYS[1], 'cursor', ARGV[3])
-- A page that a run may still be at belongs to the cursor before.
redis.call('HINCRBY', KEYS[1], 'seq', 1)
if s[1] ~= 'paused' then
  redis.call('HSET', KEYS[1], 'due_at', at)
  redis.call('ZADD', KEYS[2], at, ARGV[1])
end
audit(prefix_of(KEYS[1]), now, { 'action', DECISIONS[ARGV[4]], 'actor', ARGV[5], 'client', s[3], 'server', s[4], 'sync', ARGV[1],
  'request', ARGV[6] })
return 'decided'
