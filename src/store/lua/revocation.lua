-- The end of what a containment has revoked. Scripts that begin with `-- with: revocation` have it.

-- Writes once that every token of a containment has come to its end, in the script in which the last one did.
local function finish_containment(prefix, now, id)
  local key = prefix .. 'containment:' .. id
  local c = redis.call('HMGET', key, 'counted', 'tokens', 'revoked', 'already_dead', 'given_up', 'finished')
  local n = function(text) return tonumber(text or '0') end
  if not c[1] or not c[2] or c[6] or n(c[2]) > n(c[3]) + n(c[4]) + n(c[5]) then return end
  redis.call('HSET', key, 'finished', string.format('%.0f', now))
  audit(prefix, now, { 'action', 'containment.revoked', 'actor', 'worker', 'containment', id, 'tokens', c[2], 'given_up',
    c[5] or '0' })
end

-- Takes a grant's tokens for a containment: it stays with its bindings, and whoever is named there authorises again.
local function revoke_grant(prefix, now, id, gen, containment, actor, request)
  local key = prefix .. 'grant:' .. id
  local g = redis.call('HMGET', key, 'server', 'registration', 'gen', 'state', 'lease')
  -- Authorised again since it was looked at: that is another consent.
  if not g[1] or g[3] ~= gen or g[4] == 'revoked' then return end
  local tokens = tokens_of(key)
  to_revocations(prefix, now, id, g[1], g[2], g[3], tokens, nil, nil, containment)
  redis.call('HDEL', key, 'lease', 'lease_until', 'intent', 'intent_parent', 'sent_at', 'retry_at', 'problem', 'problem_at', 'failing_since',
    'refusals', 'refused_at', 'refused_cfg', 'calls', 'spares', 'done', 'spent', 'rt', 'rt_fp', 'rt_att', 'rt_exp', 'at', 'at_fp',
    'at_att', 'at_exp', 'due_at', 'forced_at', 'lapsing')
  put_state(prefix, id, g[4], 'revoked')
  redis.call('HSET', key, 'revoked_by', containment)
  redis.call('ZREM', prefix .. 'due:expiry', id)
  redis.call('ZREM', prefix .. 'due:refresh', id)
  audit(prefix, now, { 'action', 'grant.revoked', 'actor', actor, 'server', g[1], 'grant', id, 'containment', containment,
    'request', request })
  emit_grant(prefix, now, 'grant.revoked', id, g[1], bindings_of(prefix, id), { 'reason', 'containment', 'containment', containment })
  redis.call('PUBLISH', 'b1:refresh-outcome', id .. ' revoked')
end
