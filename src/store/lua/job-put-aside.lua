#!lua flags=allow-oom
-- Puts a grant's background refresh or a sync aside: work on it took its process down too often. Works when Redis is
-- full. Said again, it goes back to where it was put: whoever uses a grant or asks for a sync makes it due.
--
-- KEYS  1 starts  2 grant or sync  3 due
-- ARGV  1 id  2 grant | sync  3 for how long (ms)  4 problem code  5 starts are forgotten after (ms)  6 clock offset (ms)
-- Answers put_aside | already | gone
local now = now_ms()
local text = function(n) return string.format('%.0f', n) end
local state = redis.call('HGET', KEYS[2], 'state')
if not state then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
  return 'gone'
end

local back = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
local first = back <= now
if first then
  back = now + tonumber(ARGV[3])
  redis.call('HSET', KEYS[1], 'until', text(back))
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end

-- What is paused or ended stays off the schedule.
if redis.call('ZADD', KEYS[3], 'XX', 'CH', text(back), ARGV[1]) == 1 then redis.call('HSET', KEYS[2], 'due_at', text(back)) end
if ARGV[2] == 'sync' then
  redis.call('HDEL', KEYS[2], 'running')
  if state ~= 'paused' then
    local before = redis.call('HGET', KEYS[2], 'because')
    park_sync(KEYS[2], ARGV[1], ARGV[4])
    if before ~= ARGV[4] then emit_sync(prefix_of(KEYS[2]), now, 'sync.parked', ARGV[1], { 'code', ARGV[4] }) end
  end
  if first then
    redis.call('HSET', KEYS[2], 'error', ARGV[4], 'error_at', text(now))
    redis.call('HINCRBY', KEYS[2], 'failures', 1)
  end
elseif first then
  timeline(prefix_of(KEYS[2]), now, ARGV[1], 'refresh.put_aside', 'refreshing it ahead ended the worker process three times in a row')
end
return first and 'put_aside' or 'already'
