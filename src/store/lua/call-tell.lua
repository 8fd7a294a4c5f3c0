#!lua flags=allow-oom
-- with: gate calls
-- Ends a call, and keeps what iManage's answer said of its rate limit.
--
-- KEYS  1 server gate
-- ARGV  1 call  2 wait that a 429 asked for (ms) or ''  3 x-ratelimit-remaining or ''  4 x-ratelimit-reset (ms) or ''
--       5 clock offset (ms)
-- Answers told
local key = KEYS[1]
calls_tell(prefix_of(key), now_ms(), string.match(key, '[^:]+$'), ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
return 'told'
