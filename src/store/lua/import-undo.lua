#!lua
-- Takes an imported authorization out again, whose token was never sent from here: the other system goes on with it, so nothing of
-- it is revoked.
--
-- KEYS  1 grant  2 imports
-- ARGV  1 grant id  2 actor  3 request id  4 clock offset (ms)
-- Answers undone | gone | spent (its token was, or may have been, sent from here) | authorized (its person has consented himself since)
local now = now_ms()
local key = KEYS[1]
local prefix = prefix_of(key)
local g = redis.call('HMGET', key, 'server', 'imported', 'att', 'rt_fp')
if not g[1] then return 'gone' end
if not g[2] then return 'authorized' end
if (g[2] ~= 'held' and g[2] ~= 'unverified') or tonumber(g[3] or '0') > 0 then return 'spent' end
drop_grant(prefix, now, ARGV[1], 'spared', {}, 'import_undone')
-- The same token may come in again.
redis.call('HDEL', KEYS[2], g[4])
audit(prefix, now, { 'action', 'grant.import_undone', 'actor', ARGV[2], 'server', g[1], 'grant', ARGV[1], 'request', ARGV[3] })
return 'undone'
