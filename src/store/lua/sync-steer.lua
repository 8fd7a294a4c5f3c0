#!lua flags=allow-oom
-- What a client does with its sync: `want` makes it due, `pause` takes it off the schedule, `resume` puts it back, also
-- one that was put aside because it took its process down, and forgets that. Works when Redis is full.
--
-- KEYS  1 sync  2 due  3 starts
-- ARGV  1 sync id  2 want | pause | resume  3 actor  4 request id  5 clock offset (ms)
-- Answers wanted | paused | resumed | gone
local now = now_ms()
local at = string.format('%.0f', now)
local s = redis.call('HMGET', KEYS[1], 'state', 'client', 'server', 'started_at', 'because')
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
if s[1] == 'paused' or s[5] == 'worker_crashed' then
  redis.call('HSET', KEYS[1], 'state', 'active')
  redis.call('HDEL', KEYS[1], 'because')
  redis.call('DEL', KEYS[3])
  make_due()
  note('sync.resumed')
end
return 'resumed'
