#!lua flags=allow-oom
-- Ends a grant: from the moment this returns no replica hands its token out. Works when Redis is full.
--
-- KEYS  1 grant      ARGV  1 grant id  2 actor  3 request id  4 clock offset (ms)
-- Answers 1, or 0 where it was gone already.
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local server = redis.call('HGET', KEYS[1], 'server')
if not drop_grant(prefix, now, ARGV[1], false, {}, 'withdrawn') then return 0 end
audit(prefix, now, { 'action', 'grant.revoked', 'actor', ARGV[2], 'server', server, 'grant', ARGV[1], 'request', ARGV[3] })
return 1
