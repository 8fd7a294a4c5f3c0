#!lua flags=allow-oom
-- Counts a start of work on a grant or sync before the work begins, and makes it the subject's only run for as long as its
-- process says that it lives: a start beside it is no sign of a death, and is not counted.
--
-- KEYS  1… starts, of one subject or of all that a run took
-- ARGV  1 begun | renewed | progressed | ended  2 run  3 it lives for (ms)  4 forgotten after (ms)  5 clock offset (ms)
-- Answers of how many it is so: not of one where another run is alive, or has begun since.
local now = now_ms()

local function tell(key, what)
  local held = redis.call('HMGET', key, 'run', 'run_until')
  local ours = held[1] == ARGV[2]
  if what == 'begun' and not ours then
    if held[1] and tonumber(held[2]) > now then return 0 end
    redis.call('HINCRBY', key, 'starts', 1)
    redis.call('HSET', key, 'run', ARGV[2])
  elseif not ours then
    return 0
  elseif what == 'ended' then
    redis.call('DEL', key)
    return 1
  elseif what == 'progressed' then
    redis.call('HSET', key, 'starts', 1)
  end
  redis.call('HSET', key, 'run_until', string.format('%.0f', now + tonumber(ARGV[3])))
  redis.call('HDEL', key, 'until')
  redis.call('PEXPIRE', key, ARGV[4])
  return 1
end

local so = 0
for _, key in ipairs(KEYS) do so = so + tell(key, ARGV[1]) end
return so
