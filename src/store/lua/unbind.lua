#!lua flags=allow-oom
-- Takes one binding back; others keep theirs; the last one gone ends the grant.
--
-- KEYS  1 binding  2 gate
-- ARGV  1 binding digest  2 server  3 library or ''  4 actor  5 request id
--       6 the grant it must be bound to, or ''  7 clock offset (ms)
-- Answers the grant it was bound to, or '' where there was none, or another.
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local grant = redis.call('GET', KEYS[1])
if not grant or (ARGV[6] ~= '' and ARGV[6] ~= grant) then return '' end
if ARGV[3] ~= '' then
  redis.call('HDEL', prefix .. 'libraries:' .. ARGV[2], ARGV[3])
  forget_standing(prefix, ARGV[2], ARGV[3], ARGV[1])
end
drop_binding(prefix, now, ARGV[1], grant, false, 'withdrawn')
audit(prefix, now, { 'action', 'binding.withdrawn', 'actor', ARGV[4], 'server', ARGV[2], 'grant', grant, 'library', ARGV[3],
  'request', ARGV[5] })
return grant
