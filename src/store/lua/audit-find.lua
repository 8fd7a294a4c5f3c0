#!lua flags=no-writes
-- with: audit
-- Number of the first entry at or after a moment; 0 where there is none.
--
-- KEYS  1 audit
-- ARGV  1 moment (ms)  2 clock offset (ms)
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not oldest then return 0 end
local found = first_at(KEYS[1], sequence_of(oldest), sequence_of(newest), tonumber(ARGV[1]))
return found > sequence_of(newest) and 0 or found
