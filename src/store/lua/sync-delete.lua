#!lua flags=allow-oom
-- with: space
-- Ends a sync with all that is kept for it. Works when Redis is full.
--
-- KEYS  1 sync  2 syncs  3 objects  4 changes  5 due
-- ARGV  1 sync id  2 actor  3 request id  4 clock offset (ms)
-- Answers deleted | gone
local s = redis.call('HMGET', KEYS[1], 'client', 'server', 'library', 'name')
if not s[1] then return 'gone' end
redis.call('HDEL', KEYS[2], s[4] or s[1] .. ' ' .. s[2] .. ' ' .. s[3])
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('SREM', prefix_of(KEYS[1]) .. 'syncs-parked', ARGV[1])
redis.call('UNLINK', KEYS[1], KEYS[3], KEYS[4])
forget_space(prefix_of(KEYS[1]), ARGV[1])
audit(prefix_of(KEYS[1]), now_ms(), { 'action', 'sync.deleted', 'actor', ARGV[2], 'client', s[1], 'server', s[2],
  'sync', ARGV[1], 'request', ARGV[3] })
redis.call('PUBLISH', 'b1:sync-changes', ARGV[1])
return 'deleted'
