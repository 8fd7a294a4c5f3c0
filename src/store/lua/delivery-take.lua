#!lua flags=no-writes
-- with: delivery
-- Heads of lanes whose time has come, the longest waiting first.
--
-- KEYS  1 delivery  2 lanes  3 heads
-- ARGV  1 id  2 how many  3 due or not: 1 takes the first of all  4 clock offset (ms)
-- Answers a list of { lane, waiting event, tries }
local now = now_ms()
local lanes = ARGV[3] == '1' and redis.call('ZRANGE', KEYS[2], 0, tonumber(ARGV[2]) - 1)
  or redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[2])
local heads = {}
for _, lane in ipairs(lanes) do
  local tries = string.match(redis.call('HGET', KEYS[3], lane) or '0', '^%d+')
  heads[#heads + 1] = { lane, redis.call('LINDEX', lane_key(KEYS[1], ARGV[1], lane), 0) or '', tries }
end
return heads
