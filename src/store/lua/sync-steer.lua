#!lua flags=allow-oom
-- What a client does with its sync: `want` makes it due, `pause` takes it off the schedule, `resume` puts it back, also
-- one that was put aside because it took its process down, and forgets that; `reset` forgets how far it has read, and what an
-- operator was to decide, but not what it has told; `every` is another interval. Works when Redis is full.
--
-- KEYS  1 sync  2 due  3 starts
-- ARGV  1 sync id  2 want | pause | resume | reset | every  3 actor  4 request id  5 interval (ms) or ''  6 clock offset (ms)
-- Answers wanted | paused | resumed | reset | changed | gone
local now = now_ms()
local at = string.format('%.0f', now)
local s = redis.call('HMGET', KEYS[1], 'state', 'client', 'server', 'started_at', 'because', 'interval', 'due_at')
if not s[1] then return 'gone' end

local function make_due()
  redis.call('HSET', KEYS[1], 'due_at', at)
  redis.call('ZADD', KEYS[2], at, ARGV[1])
end
local function note(action)
  audit(prefix_of(KEYS[1]), now, { 'action', action, 'actor', ARGV[3], 'client', s[2], 'server', s[3], 'sync', ARGV[1],
    'request', ARGV[4] })
end

if ARGV[2] == 'want' then
  if s[1] == 'paused' then return 'paused' end
  -- The pass under way may have gone past what the client has in mind: another follows.
  if s[4] then redis.call('HSET', KEYS[1], 'wanted', '1') end
  make_due()
  return 'wanted'
end
if ARGV[2] == 'pause' then
  if s[1] ~= 'paused' then
    redis.call('HSET', KEYS[1], 'state', 'paused')
    redis.call('HDEL', KEYS[1], 'because', 'due_at', 'running')
    redis.call('ZREM', KEYS[2], ARGV[1])
    note('sync.paused')
  end
  return 'paused'
end
if ARGV[2] == 'every' then
  if s[6] ~= ARGV[5] then
    redis.call('HSET', KEYS[1], 'interval', ARGV[5])
    -- No later than it would be had it been so from the beginning; whoever waits for an answer waits on.
    local soonest = now + tonumber(ARGV[5])
    if s[1] == 'active' and s[7] and tonumber(s[7]) > soonest then
      at = string.format('%.0f', soonest)
      make_due()
    end
    note('sync.changed')
  end
  return 'changed'
end
if ARGV[2] == 'reset' then
  -- Whoever is running it can commit no further page.
  redis.call('HINCRBY', KEYS[1], 'seq', 1)
  local cursor = cjson.decode(redis.call('HGET', KEYS[1], 'cursor') or '{}')
  -- Another admin may see less, also after a reset: it is known whose eyes told what is remembered.
  local seen_by = cursor.lastScan and cursor.lastScan.grant or cursor.seenBy
  if seen_by then redis.call('HSET', KEYS[1], 'seen_by', seen_by) end
  redis.call('HDEL', KEYS[1], 'cursor', 'started_at', 'running', 'wanted')
  -- One that is parked is so until it has stored a page, as always.
  redis.call('DEL', KEYS[3])
  if s[1] ~= 'paused' then make_due() end
  note('sync.reset')
  return 'reset'
end
if s[1] == 'paused' or s[5] == 'worker_crashed' then
  redis.call('HSET', KEYS[1], 'state', 'active')
  redis.call('HDEL', KEYS[1], 'because')
  redis.call('DEL', KEYS[3])
  make_due()
  note('sync.resumed')
end
return 'resumed'
