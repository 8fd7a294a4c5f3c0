#!lua flags=allow-oom
-- with: gate calls
-- Gives back a place that a call had asked for and did not use.
--
-- KEYS  1 server gate
-- ARGV  1 call  2 clock offset (ms)
-- Answers told
local key = KEYS[1]
calls_give_back(prefix_of(key), string.match(key, '[^:]+$'), ARGV[1])
return 'told'
