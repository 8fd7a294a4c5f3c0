#!lua
-- Stores a sync, due at once. Where the same client has one of the same library already, that one is the answer.
--
-- KEYS  1 syncs  2 sync  3 due
-- ARGV  1 name in the index  2 sync id  3 client  4 server  5 library  6 interval (ms)  7 fields (JSON) or ''
--       8 wish (JSON)  9 actor  10 request id  11 how many the client may have  12 clock offset (ms)
-- Answers the id; '' where the client has as many as it may
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then return known end
local own, others = ARGV[3] .. ' ', 0
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(name, 1, #own) == own then others = others + 1 end
end
if others >= tonumber(ARGV[11]) then return '' end

local now = now_ms()
local at = string.format('%.0f', now)
redis.call('HSET', KEYS[2], 'v', '1', 'client', ARGV[3], 'server', ARGV[4], 'library', ARGV[5], 'interval', ARGV[6],
  'created_at', at, 'state', 'active', 'seq', '1', 'due_at', at, 'wish', ARGV[8], 'name', ARGV[1])
if ARGV[7] ~= '' then redis.call('HSET', KEYS[2], 'fields', ARGV[7]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], at, ARGV[2])
audit(prefix_of(KEYS[1]), now, { 'action', 'sync.created', 'actor', ARGV[9], 'client', ARGV[3], 'server', ARGV[4],
  'sync', ARGV[2], 'request', ARGV[10] })
return ARGV[2]
