#!lua flags=allow-oom
-- with: audit
-- Removes entries that are kept elsewhere and either old or too many. Bounded, because Redis does nothing else meanwhile.
--
-- KEYS  1 gate  2 audit
-- ARGV  1 kept at least for (ms)  2 kept at most (entries)  3 looked at (entries)  4 clock offset (ms)
-- Answers how many went: entries, and with them the timelines of grants that ended as long ago.
local kept_since = now_ms() - tonumber(ARGV[1])
local ended = prefix_of(KEYS[1]) .. 'ended'
local stories = redis.call('ZRANGEBYSCORE', ended, '-inf', kept_since, 'LIMIT', 0, 200)
for _, id in ipairs(stories) do
  redis.call('DEL', prefix_of(KEYS[1]) .. 'story:' .. id, prefix_of(KEYS[1]) .. 'timeline:' .. id)
  redis.call('ZREM', ended, id)
end

local gate = redis.call('HMGET', KEYS[1], 'audit', 'acked')
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if not gate[2] or not oldest then return #stories end
local first = sequence_of(oldest)
local last = math.min(tonumber(gate[2]), first + tonumber(ARGV[3]) - 1)
if last < first then return #stories end
local old = first_at(KEYS[2], first, last, kept_since)
local many = math.min(last + 1, tonumber(gate[1]) - tonumber(ARGV[2]) + 1)
return #stories + redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f-0', math.max(old, many)))
