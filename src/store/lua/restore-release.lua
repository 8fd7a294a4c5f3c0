#!lua flags=allow-oom
-- Ends the restore mode of a journal: an operator has seen what is stale, and it is marked. The epoch says how often it was.
--
-- KEYS  1 gate
-- ARGV  1 actor  2 request id  3 how many grants were stale  4 clock offset (ms)
-- Answers released | not_restoring | not_adopted
local restore = redis.call('HGET', KEYS[1], 'restore')
if not restore then return 'not_restoring' end
if not cjson.decode(restore).adopted then return 'not_adopted' end
redis.call('HDEL', KEYS[1], 'restore')
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
audit(string.match(KEYS[1], '^(b1:%b{}:)'), now_ms(), { 'action', 'store.restored', 'actor', ARGV[1], 'request', ARGV[2], 'epoch', epoch,
  'stale', ARGV[3] })
return 'released'
