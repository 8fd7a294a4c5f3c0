#!lua flags=no-writes
-- Subscriptions that have not been told all that the organisation's log has, and that nothing holds up.
--
-- KEYS  1 gate  2 subscriptions
-- ARGV  1 clock offset (ms)
-- Answers ids
local now, prefix = now_ms(), prefix_of(KEYS[1])
local newest = tonumber(redis.call('HGET', KEYS[1], 'events') or '0')
local ids = {}
for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do
  local d = redis.call('HMGET', prefix .. 'delivery:' .. id, 'cursor', 'off', 'held_until')
  if d[1] and not d[2] and tonumber(d[3] or '0') <= now and tonumber(string.match(d[1], '^%d+')) < newest then
    ids[#ids + 1] = id
  end
end
return ids
