#!lua flags=allow-oom
-- Appends to the copy of a sync's changes. One that is there already was copied by another who is at the same: it says the same.
--
-- KEYS  1 copy      ARGV  1… id, time, sealed change of each     last: clock offset (ms)
for i = 1, #ARGV - 3, 3 do redis.pcall('XADD', KEYS[1], ARGV[i], 'at', ARGV[i + 1], 'c', ARGV[i + 2]) end
return 1
