#!lua flags=allow-oom
-- with: gate calls
-- Asks a server's budget for one call of its REST API. Works when Redis is full: what it writes is small, and whoever waits
-- for a page or a token must not be refused for want of a counter.
--
-- KEYS  1 server gate
-- ARGV  1 call  2 who asks  3 priority: interactive | quick | scan  4 patience (ms)  5 life of a call (ms)
--       6 background calls at once  7 of which scans  8 calls a second  9 burst of quick calls
--       10 share of a window kept from background calls  11 kept from scans
--       12 call under way whose place it takes over, or ''  13 clock offset (ms)
-- Answers go ms | wait ms why
local key = KEYS[1]
local limits = { calls = tonumber(ARGV[6]), scans = tonumber(ARGV[7]), per_second = tonumber(ARGV[8]), burst = tonumber(ARGV[9]),
  reserve = tonumber(ARGV[10]), scan_reserve = tonumber(ARGV[11]) }
local after, wait, why = calls_ask(prefix_of(key), now_ms(), string.match(key, '[^:]+$'), ARGV[1], ARGV[2], ARGV[3],
  tonumber(ARGV[4]), tonumber(ARGV[5]), limits, ARGV[12])
if after then return { 'go', after } end
return { 'wait', math.ceil(wait), why }
