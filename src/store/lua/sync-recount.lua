#!lua flags=allow-oom
-- Adds up anew what the syncs of an organisation take: heals a total that something else has altered.
--
-- KEYS  1 space  2 syncs
-- ARGV  1 clock offset (ms)
-- Answers the total
local known, total = {}, 0
for _, id in ipairs(redis.call('HVALS', KEYS[2])) do known[id] = true end
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  if known[flat[i]] then
    total = total + tonumber(flat[i + 1])
  else
    redis.call('HDEL', KEYS[1], flat[i])
  end
end
if #flat > 0 then redis.call('HSET', KEYS[1], 'total', string.format('%.0f', total)) end
return total
