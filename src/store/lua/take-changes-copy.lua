#!lua flags=allow-oom
-- Puts the copy of a sync's changes, sealed anew, in the place of what is stored: only if it holds the same entries.
--
-- KEYS  1 changes  2 copy      ARGV  1 clock offset (ms)
-- Answers 1, also where there is nothing to put anywhere; 0 where the copy lacks something
local function ends_of(key)
  local first, last = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1], redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  return first and first[1], last and last[1]
end
local first, last = ends_of(KEYS[1])
if not first then
  -- Nothing is kept, or the sync was deleted.
  redis.call('DEL', KEYS[2])
  return 1
end
local _, copied = ends_of(KEYS[2])
if copied ~= last then return 0 end
-- What has been dropped meanwhile for being too old.
redis.call('XTRIM', KEYS[2], 'MINID', '=', first)
if redis.call('XLEN', KEYS[2]) ~= redis.call('XLEN', KEYS[1]) then
  redis.call('DEL', KEYS[2])
  return 0
end
redis.call('RENAME', KEYS[2], KEYS[1])
return 1
