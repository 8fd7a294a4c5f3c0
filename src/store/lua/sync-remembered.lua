#!lua flags=no-writes
-- What is remembered of some objects. In one argument, and without those of which nothing is: of a scan's page there are
-- thousands, and while the first scan is under way none of them is known.
--
-- KEYS  1 objects
-- ARGV  1 objects (JSON)  2 clock offset (ms)
-- Answers { place in the list, value, place, value, … }
local objects, known = cjson.decode(ARGV[1]), {}
-- In parts: Lua's stack is not endless.
for from = 1, #objects, 2000 do
  local values = redis.call('HMGET', KEYS[1], unpack(objects, from, math.min(#objects, from + 1999)))
  for i = 1, #values do
    if values[i] then
      known[#known + 1] = from + i - 2
      known[#known + 1] = values[i]
    end
  end
end
return known
