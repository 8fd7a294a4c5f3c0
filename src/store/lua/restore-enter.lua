#!lua flags=allow-oom
-- Stops refreshes and tokens of a journal whose store is older than what is known of it outside. Works when Redis is full.
--
-- KEYS  1 gate
-- ARGV  1 epoch known outside  2 number of an entry that was there  3 clock offset (ms)
-- Answers entered | restoring (already) | fine (it is no older)
local gate = redis.call('HMGET', KEYS[1], 'audit', 'epoch', 'restore')
if gate[3] then return 'restoring' end
local epoch, newest = tonumber(gate[2] or '0'), tonumber(gate[1] or '0')
if epoch > tonumber(ARGV[1]) or (epoch == tonumber(ARGV[1]) and newest >= tonumber(ARGV[2])) then return 'fine' end
redis.call('HSET', KEYS[1], 'restore', cjson.encode({ since = now_ms(), why = 'went_back', from = newest }))
return 'entered'
