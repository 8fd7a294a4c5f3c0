#!lua
-- with: delivery
-- Puts events behind their lanes and moves the cursor over them and over those that the subscription is not told.
--
-- KEYS  1 delivery  2 lanes
-- ARGV  1 id  2 owner  3 lease (ms)  4 cursor as it was read  5 cursor  6 events that were no longer kept
--       7… of each event: lane, position     last: clock offset (ms)
-- Answers stored | lost
local now = now_ms()
if not holds(KEYS[1], ARGV[2], now, ARGV[3]) then return 'lost' end
if redis.call('HGET', KEYS[1], 'cursor') ~= ARGV[4] then return 'lost' end
for i = 7, #ARGV - 2, 2 do append(KEYS[1], KEYS[2], ARGV[1], ARGV[i], ARGV[i + 1], now) end
redis.call('HSET', KEYS[1], 'cursor', ARGV[5])
if ARGV[6] ~= '0' then redis.call('HINCRBY', KEYS[1], 'missed', ARGV[6]) end
return 'stored'
