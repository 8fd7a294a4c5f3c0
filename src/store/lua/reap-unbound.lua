#!lua flags=allow-oom
-- Ends grants that nothing was bound to in time: sign-ins to a page of ours that led to nothing.
--
-- KEYS  1 unbound      ARGV  1 how many at most  2 clock offset (ms)
-- Answers how many were ended.
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local ended = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))) do
  if redis.call('HLEN', prefix .. 'grant-bindings:' .. id) == 0 then
    local server = redis.call('HGET', prefix .. 'grant:' .. id, 'server')
    if drop_grant(prefix, now, id, false, {}, 'unused') then
      audit(prefix, now, { 'action', 'grant.reaped', 'actor', 'worker', 'server', server, 'grant', id })
      ended = ended + 1
    end
  end
  redis.call('ZREM', KEYS[1], id)
end
return ended
