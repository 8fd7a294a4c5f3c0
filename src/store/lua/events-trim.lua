#!lua flags=allow-oom
-- with: audit
-- Removes events that are old, or too many. Bounded, because Redis does nothing else meanwhile.
--
-- KEYS  1 gate  2 events
-- ARGV  1 kept for (ms)  2 kept at most (events)  3 looked at (events)  4 clock offset (ms)
-- Answers how many went
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if not oldest then return 0 end
local newest, first = tonumber(redis.call('HGET', KEYS[1], 'events')), sequence_of(oldest)
local last = math.min(newest, first + tonumber(ARGV[3]) - 1)
local old = first_at(KEYS[2], first, last, now_ms() - tonumber(ARGV[1]))
local many = math.min(last + 1, newest - tonumber(ARGV[2]) + 1)
return redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f-0', math.max(old, many)))
