#!lua
-- Warns of refresh tokens that end: one entry on the grant's timeline, and one event, at 30, 14, 7, 3 and 1 days. Tells of a grant
-- without one that it has ended, with its access token.
--
-- KEYS  1 due:expiry      ARGV  1 how many at most  2 clock offset (ms)
-- Answers how many were told of.
local now = now_ms()
local prefix = prefix_of(KEYS[1])

local function warn(id, server, ends)
  timeline(prefix, now, id, 'grant.expiring', math.ceil((tonumber(ends) - now) / 86400000) .. ' days left')
  emit_grant(prefix, now, 'grant.expiring', id, server, bindings_of(prefix, id), { 'reason', 'refresh_token_ends', 'ends_at', ends })
  forecast(prefix, now, id, tonumber(ends))
end

-- Those whose end has come within thirty days since the last look. Whoever is in the other index has been warned, or was
-- written by a version that put all there; that one took off who had but a day left, so at the first look of all they are left out.
local near = now + FIRST_WARNING_MS
local seen = redis.call('HGET', prefix .. 'gate', 'expiry_seen')
local ending = redis.call('ZRANGEBYSCORE', prefix .. 'grant-ends', seen and '(' .. seen or '-inf', near, 'WITHSCORES', 'LIMIT', 0,
  tonumber(ARGV[1]))
local told = 0
for i = 1, #ending, 2 do
  local id, ends = ending[i], string.format('%.0f', ending[i + 1])
  if not redis.call('ZSCORE', KEYS[1], id) and (seen or tonumber(ends) - 86400000 > now) then
    warn(id, redis.call('HGET', prefix .. 'grant:' .. id, 'server'), ends)
    told = told + 1
  end
end
-- Where there were more, whoever ends in the same millisecond as the last of these is looked at again.
local full = #ending == 2 * tonumber(ARGV[1])
redis.call('HSET', prefix .. 'gate', 'expiry_seen', string.format('%.0f', full and ending[#ending] - 1 or near))

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))
for _, id in ipairs(due) do
  local g = redis.call('HMGET', prefix .. 'grant:' .. id, 'rt_exp', 'server', 'rt', 'at_exp', 'state')
  local ends = g[1]
  if ends then
    warn(id, g[2], ends)
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
return told + #due
