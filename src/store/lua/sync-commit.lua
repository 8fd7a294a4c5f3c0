#!lua
-- Stores a page of a pass: changes, versions told, cursor, all or nothing. Only the page whose number is due is stored,
-- so that a page that comes twice, or from a run that was thought dead, changes nothing.
--
-- KEYS  1 sync  2 due  3 objects  4 changes
-- ARGV  1 sync id  2 page number  3 rows  4 unreadable rows  5 latest edit (ms) or ''  6 next page's cursor
--       7 last page 0|1  8 next pass reads from (ms) or ''  9 quiet time (ms)  10 changes kept
--       11 … of each change: object, version, sealed     last: clock offset (ms)
-- Answers committed | overtaken | paused | gone
local now = now_ms()
local key, id = KEYS[1], ARGV[1]
local text = function(n) return string.format('%.0f', n) end
local s = redis.call('HMGET', key, 'state', 'seq', 'started_at', 'interval', 'wanted')
if not s[1] then return 'gone' end
if s[2] ~= ARGV[2] then return 'overtaken' end
if s[1] == 'paused' then return 'paused' end

local changes, objects = 0, 0
for i = 11, #ARGV - 3, 3 do
  objects = objects + redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  redis.call('XADD', KEYS[4], ARGV[2] .. '-' .. (changes + 1), 'at', text(now), 'c', ARGV[i + 2])
  changes = changes + 1
end

-- The oldest go where there are too many. `floor` is the newest that went: whoever has read to before it has lost some.
local over = redis.call('XLEN', KEYS[4]) - tonumber(ARGV[10])
if over > 0 then
  -- Some at a time, should the bound have been lowered.
  local oldest = redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', math.min(over, changes + 1000))
  redis.call('HSET', key, 'floor', oldest[#oldest][1])
  redis.call('XTRIM', KEYS[4], 'MAXLEN', '=', redis.call('XLEN', KEYS[4]) - #oldest)
end

redis.call('HINCRBY', key, 'seq', 1)
redis.call('HINCRBY', key, 'documents', ARGV[3])
redis.call('HINCRBY', key, 'unreadable', ARGV[4])
redis.call('HINCRBY', key, 'changes', changes)
redis.call('HINCRBY', key, 'objects', objects)
redis.call('HSET', key, 'state', 'active')
redis.call('HDEL', key, 'because', 'error', 'error_at', 'failures')

local due
if ARGV[7] == '1' then
  redis.call('HINCRBY', key, 'passes', 1)
  redis.call('HSET', key, 'complete_at', text(now))
  if ARGV[8] ~= '' then redis.call('HSET', key, 'edited_from', ARGV[8]) end
  redis.call('HDEL', key, 'started_at', 'page', 'latest', 'wanted', 'running')
  due = s[5] and now or math.max(now, tonumber(s[3]) + tonumber(s[4]))
else
  redis.call('HSET', key, 'page', ARGV[6], 'running', '1')
  if ARGV[5] ~= '' then redis.call('HSET', key, 'latest', ARGV[5]) end
  due = now + tonumber(ARGV[9])
end
redis.call('HSET', key, 'due_at', text(due))
redis.call('ZADD', KEYS[2], text(due), id)
if changes > 0 then redis.call('PUBLISH', 'b1:sync-changes', id) end
return 'committed'
