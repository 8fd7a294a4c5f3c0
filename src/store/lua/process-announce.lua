#!lua flags=allow-oom
-- Notes that a process is at work, and forgets those that have not been heard of for an hour.
--
-- KEYS  1 processes
-- ARGV  1 its id  2 JSON of what it is  last clock offset (ms)
local now = now_ms()
local process = cjson.decode(ARGV[2])
process.seenAt = now
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(process))
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if cjson.decode(all[i + 1]).seenAt < now - 3600000 then redis.call('HDEL', KEYS[1], all[i]) end
end
return 1
