#!lua
-- with: containment
-- Lets another user of the same client have what one has: he was renamed, merged, or has another identity provider. The grant is the same
-- iManage user's before and after.
--
-- KEYS  1 binding of who has it  2 binding of who shall  3 gate
-- ARGV  1 digest of the one  2 of the other  3 descriptor of the other (JSON)  4 server  5 the grant that it must be
--       6 actor  7 request id  8 clock offset (ms)
-- Answers moved | already (the other has it, and the one has not) | unbound (by now the one has another, or none) | bound_to_another
--   (the other has another iManage user's) | contained
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local there = function(grant) return grant and redis.call('EXISTS', prefix .. 'grant:' .. grant) == 1 and grant end
if ARGV[1] == ARGV[2] then return redis.call('GET', KEYS[1]) == ARGV[5] and 'already' or 'unbound' end
local had, has = there(redis.call('GET', KEYS[1])), there(redis.call('GET', KEYS[2]))
if has and has ~= ARGV[5] then return 'bound_to_another' end
if had ~= ARGV[5] then return has and not had and 'already' or 'unbound' end
local binding = cjson.decode(ARGV[3])
if stopped_by(prefix, redis.call('HGET', KEYS[3], 'windows'), { client = binding.client, server = ARGV[4], binding = ARGV[2],
  grant = had }) then return 'contained' end
local bindings = prefix .. 'grant-bindings:' .. had
redis.call('SET', KEYS[2], had)
binding.since = string.format('%.0f', now)
redis.call('HSET', bindings, ARGV[2], cjson.encode(binding))
redis.call('DEL', KEYS[1])
redis.call('HDEL', bindings, ARGV[1])
audit(prefix, now, { 'action', 'binding.moved', 'actor', ARGV[6], 'client', binding.client, 'server', ARGV[4], 'grant', had, 'request',
  ARGV[7] })
return 'moved'
