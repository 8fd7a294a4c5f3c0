#!lua flags=allow-oom
-- Marks one grant of an organisation that was put back: iManage has given another refresh token since, or the grant was ended.
--
-- KEYS  1 grant
-- ARGV  1 grant id  2 number of the entry that says so  3 suspect | reauthorization_required  4 code of the problem  5 clock offset (ms)
-- Answers marked | known (it is no older than that entry) | gone | already
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local restore = redis.call('HGET', prefix .. 'gate', 'restore')
local g = redis.call('HMGET', KEYS[1], 'state', 'rt_seq', 'server')
if not g[1] then return 'gone' end
if not restore or tonumber(g[2] or cjson.decode(restore).from) >= tonumber(ARGV[2]) then return 'known' end
if g[1] == 'revoked' or g[1] == 'reauthorization_required' then return 'already' end
redis.call('HDEL', KEYS[1], 'lease', 'lease_until', 'intent', 'intent_parent', 'sent_at', 'refusals', 'refused_at', 'refused_cfg', 'calls')
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'problem', ARGV[4], 'problem_at', string.format('%.0f', now))
timeline(prefix, now, ARGV[1], 'grant.' .. ARGV[3], 'the store was put back to before entry ' .. ARGV[2])
if ARGV[3] == 'reauthorization_required' then
  redis.call('ZREM', prefix .. 'due:refresh', ARGV[1])
  redis.call('HDEL', KEYS[1], 'due_at')
  emit_grant(prefix, now, 'grant.reauthorization_required', ARGV[1], g[3], bindings_of(prefix, ARGV[1]), { 'code', 'reauthorization_required' })
end
redis.call('PUBLISH', 'b1:refresh-outcome', ARGV[1] .. ' failed')
return 'marked'
