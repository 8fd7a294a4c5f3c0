#!lua flags=allow-oom
-- with: restore
-- Makes somebody the one who chains a journal. Works when Redis is full: what is exported makes room.
--
-- KEYS  1 gate  2 head  3 audit
-- ARGV  1 who  2 for how long (ms)  3 clock offset (ms)
-- Answers a list whose first item names it: nothing | held | taken fence sequence hash
--   hash: '' where nothing of this journal was ever chained
local now = now_ms()
local newest = tonumber(redis.call('HGET', KEYS[1], 'audit') or '0')
local head = redis.call('HMGET', KEYS[2], 'sequence', 'hash', 'owner', 'until')
local sequence = tonumber(head[1])
if not sequence then
  -- A journal of before there was a chain: what was exported then has left the stream.
  local first = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1]
  sequence = first and tonumber(string.match(first[1], '^%d+')) - 1 or newest
end
if sequence >= newest then return { 'nothing' } end
-- Put back to an earlier state: its numbers may have been given out before (F33).
local restore = redis.call('HGET', KEYS[1], 'restore')
if restore and not restore_adopted(restore) then return { 'held' } end
if head[3] and head[3] ~= ARGV[1] and tonumber(head[4]) > now then return { 'held' } end
redis.call('HSET', KEYS[2], 'sequence', string.format('%.0f', sequence), 'owner', ARGV[1], 'until',
  string.format('%.0f', now + tonumber(ARGV[2])))
redis.call('HSET', KEYS[1], 'acked', string.format('%.0f', sequence))
return { 'taken', redis.call('HINCRBY', KEYS[2], 'fence', 1), sequence, head[2] or '' }
