#!lua
-- with: space
-- Stores a page: changes, what is remembered of objects, cursor, all or nothing. Only the page whose number is due is
-- stored, so that a page that comes twice, or from a run that was thought dead, changes nothing.
--
-- KEYS  1 sync  2 due  3 objects  4 changes
-- ARGV  1 sync id  2 page number  3 documents shown  4 unreadable rows  5 cursor (JSON)  6 newest scan
--       7 pass is over 0|1  8 all is known 0|1  9 due again at once 0|1  10 baseline is complete 0|1
--       11 quiet time (ms)  12 changes kept  13 how many changes  14 how many objects are forgotten
--       15 a full scan ends with this page 0|1  16 object and value of each that is remembered (JSON)
--       17 … sealed changes, then objects forgotten     last: clock offset (ms)
-- Answers committed | overtaken | paused | gone
local now = now_ms()
local key, id = KEYS[1], ARGV[1]
local text = function(n) return string.format('%.0f', n) end
local s = redis.call('HMGET', key, 'state', 'seq', 'started_at', 'interval', 'wanted', 'because')
if not s[1] then return 'gone' end
if s[2] ~= ARGV[2] then return 'overtaken' end
if s[1] == 'paused' then return 'paused' end

local changes, forgotten, marks = tonumber(ARGV[13]), tonumber(ARGV[14]), cjson.decode(ARGV[17])
local at = 17
for i = 1, changes do
  redis.call('XADD', KEYS[4], ARGV[2] .. '-' .. i, 'at', text(now), 'c', ARGV[at + i])
end
-- In parts: Lua's stack is not endless.
local function in_parts(list, from, to, command)
  for i = from, to, 2000 do redis.call(command, KEYS[3], unpack(list, i, math.min(to, i + 1999))) end
end
in_parts(marks, 1, #marks, 'HSET')
at = at + changes
in_parts(ARGV, at + 1, at + forgotten, 'HDEL')

-- Some at a time, should the bound have been lowered.
drop_changes(key, KEYS[4], now, tonumber(ARGV[12]), changes + 1000)

redis.call('HINCRBY', key, 'seq', 1)
redis.call('HINCRBY', key, 'documents', ARGV[3])
redis.call('HINCRBY', key, 'unreadable', ARGV[4])
redis.call('HINCRBY', key, 'changes', changes)
redis.call('HSET', key, 'cursor', ARGV[5], 'scans', ARGV[6], 'objects', redis.call('HLEN', KEYS[3]))
redis.call('HDEL', key, 'failures')
if ARGV[16] == '' then
  redis.call('HSET', key, 'state', 'active')
  redis.call('HDEL', key, 'because', 'error', 'error_at')
  if s[1] == 'parked' then emit_sync(prefix_of(key), now, 'sync.resumed', id) end
else
  park_sync(key, id, ARGV[16])
  if s[1] ~= 'parked' or s[6] ~= ARGV[16] then
    redis.call('HSET', key, 'error', ARGV[16], 'error_at', text(now))
    emit_sync(prefix_of(key), now, 'sync.parked', id, { 'code', ARGV[16] })
  end
end
if changes > 0 then redis.call('HINCRBY', key, 'pass_changes', changes) end
if ARGV[15] == '1' then redis.call('HSET', key, 'pass_scan', '1') end
if ARGV[10] == '1' then redis.call('HSETNX', key, 'baseline_at', text(now)) end
if ARGV[8] == '1' then
  redis.call('HINCRBY', key, 'passes', 1)
  redis.call('HSET', key, 'complete_at', text(now))
  local brought = redis.call('HMGET', key, 'pass_changes', 'pass_scan')
  if brought[1] or brought[2] then
    emit_sync(prefix_of(key), now, 'sync.completed', id, { 'changes', brought[1] or '0', 'scan', brought[2] or '0' })
    redis.call('HDEL', key, 'pass_changes', 'pass_scan')
  end
end

local due
if ARGV[7] == '1' then
  redis.call('HDEL', key, 'started_at', 'wanted', 'running')
  due = (s[5] or ARGV[9] == '1') and now or math.max(now, tonumber(s[3]) + tonumber(s[4]))
else
  redis.call('HSET', key, 'running', '1')
  due = now + tonumber(ARGV[11])
end
redis.call('HSET', key, 'due_at', text(due))
redis.call('ZADD', KEYS[2], text(due), id)
measure_sync(prefix_of(key), id)
if changes > 0 then redis.call('PUBLISH', 'b1:sync-changes', id) end
return 'committed'
