#!lua flags=allow-oom
-- Changes fields of a grant, if those that are to change are as they were read. Whatever else happens to it meanwhile stays.
--
-- KEYS  1 grant
-- ARGV  1 number of fields, then of each: its name, 1 and what was read or 0 and '', 1 and what it becomes or 0 and ''
--       last clock offset (ms)
-- Answers stored; conflict where one is another by now, or the grant is gone.
if redis.call('EXISTS', KEYS[1]) == 0 then return 'conflict' end
local last = tonumber(ARGV[1]) * 5
for i = 2, last, 5 do
  local stored = redis.call('HGET', KEYS[1], ARGV[i])
  local read = ARGV[i + 1] == '1' and ARGV[i + 2]
  if stored ~= read then return 'conflict' end
end
for i = 2, last, 5 do
  if ARGV[i + 3] == '1' then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 4])
  else
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return 'stored'
