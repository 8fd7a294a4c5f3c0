#!lua
-- Warns of refresh tokens that end: one entry on the grant's timeline, and one event, at 30, 14, 7, 3 and 1 days. Tells of a grant
-- without one that it has ended, with its access token.
--
-- KEYS  1 due:expiry      ARGV  1 how many at most  2 clock offset (ms)
-- Answers how many were told of.
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))
for _, id in ipairs(due) do
  local g = redis.call('HMGET', prefix .. 'grant:' .. id, 'rt_exp', 'server', 'rt', 'at_exp', 'state')
  local ends = g[1]
  if ends then
    timeline(prefix, now, id, 'grant.expiring', math.ceil((tonumber(ends) - now) / 86400000) .. ' days left')
    emit_grant(prefix, now, 'grant.expiring', id, g[2], bindings_of(prefix, id), { 'reason', 'refresh_token_ends', 'ends_at', ends })
    forecast(prefix, now, id, tonumber(ends))
  elseif g[5] == 'active' and not g[3] and tonumber(g[4] or '0') > now then
    redis.call('ZADD', KEYS[1], g[4], id)
  else
    if g[5] == 'active' and not g[3] and g[4] then
      timeline(prefix, now, id, 'grant.ended', 'its access token has ended, and there is no refresh token')
      emit_grant(prefix, now, 'grant.reauthorization_required', id, g[2], bindings_of(prefix, id),
        { 'code', 'reauthorization_required', 'reason', 'no_refresh_token' })
    end
    redis.call('ZREM', KEYS[1], id)
  end
end
return #due
