#!lua flags=allow-oom
-- Ends the link of somebody's calendar. Works when Redis is full.
--
-- KEYS  1 index of the owner      ARGV  1 server  2 actor  3 request id  4 clock offset (ms)
-- Answers revoked | none
local standing = redis.call('GET', KEYS[1])
if not standing then return 'none' end
local prefix = prefix_of(KEYS[1])
redis.call('DEL', KEYS[1], prefix .. 'calendar:' .. standing)
audit(prefix, now_ms(), { 'action', 'calendar.revoked', 'actor', ARGV[2], 'server', ARGV[1], 'request', ARGV[3] })
return 'revoked'
