#!lua flags=allow-oom
-- with: space
-- Drops changes of a sync that are old, some at a time, and writes down what it takes.
--
-- KEYS  1 sync  2 changes
-- ARGV  1 sync id  2 changes kept  3 looked at  4 clock offset (ms)
-- Answers how many went
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local gone = drop_changes(KEYS[1], KEYS[2], now_ms(), tonumber(ARGV[2]), tonumber(ARGV[3]))
measure_sync(prefix_of(KEYS[1]), ARGV[1])
return gone
