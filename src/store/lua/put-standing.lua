#!lua
-- Stores what a look at a lent library's owner said, and parks the library or lifts that: only if it is still that grant's,
-- and follows what was known when the look began. Whoever authorized meanwhile was just seen to administer it.
--
-- KEYS  1 libraries of the server  2 standings  3 parked
-- ARGV  1 server  2 library  3 binding digest  4 grant  5 standing (JSON)  6 why it is parked or ''
--       7 the standing that it follows (JSON) or ''  8 clock offset (ms)
-- Answers parked | lifted | stored | changed_hands | overtaken
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local stored = redis.call('HGET', KEYS[1], ARGV[2])
if not stored or cjson.decode(stored).grant ~= ARGV[4] then return 'changed_hands' end
-- This very one is there where the reply was lost.
local held = redis.call('HGET', KEYS[2], ARGV[2]) or ''
if held ~= ARGV[7] and held ~= ARGV[5] then return 'overtaken' end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])

local before = redis.call('HGET', KEYS[3], ARGV[3])
local tell = function(action, why)
  emit(prefix, now, action, { 'grant', ARGV[4], 'server', ARGV[1], 'library', ARGV[2], 'fault', why })
  audit(prefix, now, { 'action', action, 'actor', 'worker', 'server', ARGV[1], 'grant', ARGV[4], 'library', ARGV[2], 'why', why })
end
if ARGV[6] == '' then
  if not before then return 'stored' end
  redis.call('HDEL', KEYS[3], ARGV[3])
  tell('library.lifted', before)
  return 'lifted'
end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[6])
if before == ARGV[6] then return 'stored' end
tell('library.parked', ARGV[6])
return 'parked'
