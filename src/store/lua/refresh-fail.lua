#!lua flags=allow-oom
-- with: gate
-- Stores a failed refresh, ends its lease and tells the server's gate. Bad news of the past is not believed: neither after
-- another attempt took over, nor after a late one brought good news while this one was under way. Works when Redis is full.
-- Idempotent by attempt.
--
-- KEYS  1 grant  2 due
-- ARGV  1 grant id  2 attempt  3 state: unchanged|suspect|reauthorization_required  4 cool-down (ms)  5 problem
--       6 outcome unknown 0|1  7 class of the failure  8 the server's configuration generation
--       9 what an operator says of the rotation: survives | not | unknown  10 clock offset (ms)
-- Answers what became of the grant: unchanged | suspect | reauthorization_required | disbelieved

-- While a server refuses many and answers others well, so long are a grant's refusals put down to the server, and so seldom
-- is it tried. What is refused longer, by a server that is in use, is judged as any other.
local MASS_PATIENCE_MS, MASS_COOL_MS = 1200000, 300000

local now = now_ms()
local key = KEYS[1]
local prefix = prefix_of(key)
local g = redis.call('HMGET', key, 'lease', 'refused_at', 'server', 'state', 'spares', 'refused_cfg', 'calls',
  'intent_parent', 'rt_fp', 'sent_at', 'refreshed_at', 'blamed_at', 'refreshes', 'rt_exp')
if g[1] ~= ARGV[2] then return 'disbelieved' end
if g[8] ~= g[9] or (g[10] and tonumber(g[11] or '0') >= tonumber(g[10])) then
  -- What failed was another token than the primary one is now, or the same one was refreshed since this request left.
  redis.call('HDEL', key, 'lease', 'lease_until')
  -- What became of a request without an answer is not known any better for it: the next one waits it out.
  if ARGV[6] == '0' then redis.call('HDEL', key, 'intent', 'intent_parent', 'sent_at') end
  gate_leave(prefix, g[3], ARGV[2])
  redis.call('PUBLISH', 'b1:refresh-outcome', ARGV[1] .. ' overtaken')
  return 'disbelieved'
end

local cool = tonumber(ARGV[4])
local state = ARGV[3]
-- An answer that may have been lost is asked for again at once where the server has taught that this harms nothing.
if ARGV[7] == 'unknown' and ARGV[9] == 'unknown' and gate_survives_reuse(prefix, g[3]) then cool = 0 end
local blamed = gate_failed(prefix, now, g[3], ARGV[2], ARGV[1], ARGV[7], cool, ARGV[8])
local incident = blamed == 'incident'
local blamed_at = tonumber(g[12] or '0')
if blamed and blamed_at <= tonumber(g[11] or '0') then
  blamed_at = now
  redis.call('HSET', key, 'blamed_at', whole(now))
end
if incident then
  -- Many are refused at once: it is the server, and nobody is marked (F05). The gate says when to try again.
  state = 'unchanged'
  cool = 1000
elseif blamed and now - blamed_at < MASS_PATIENCE_MS then
  state = 'unchanged'
  cool = MASS_COOL_MS
end

-- What is put down to the server does not count among the calls that a dead grant may cost.
if blamed and state == 'unchanged' then redis.call('HDEL', key, 'calls') end

redis.call('HSET', key, 'retry_at', whole(now + cool), 'problem', ARGV[5], 'problem_at', whole(now))
redis.call('HSETNX', key, 'failing_since', whole(now))
if state ~= 'unchanged' then
  if not g[2] or g[6] ~= ARGV[8] then
    -- The first refusal, or the first under this configuration: what was refused under another counts no more.
    redis.call('HSET', key, 'refusals', 1, 'refused_at', whole(now), 'refused_cfg', ARGV[8])
    state = 'suspect'
  else
    redis.call('HINCRBY', key, 'refusals', 1)
  end
  if tonumber(g[7] or '0') >= 9 then state = 'reauthorization_required' end
  local spares = cjson.decode(g[5] or '[]')
  if state == 'reauthorization_required' and #spares > 0 and tonumber(g[7] or '0') < 9 then
    -- The ladder: the newest spare is tried before a person is asked. It starts with one refusal behind it, so that no
    -- more than nine calls are spent on a grant that is dead.
    local spare = table.remove(spares, 1)
    redis.call('HSET', key, 'rt', spare.sealed, 'rt_fp', spare.fp, 'rt_att', spare.att, 'refusals', 1, 'refused_at', whole(now),
      'retry_at', whole(now))
    if #spares > 0 then redis.call('HSET', key, 'spares', cjson.encode(spares)) else redis.call('HDEL', key, 'spares') end
    timeline(prefix, now, ARGV[1], 'refresh.spare_tried', 'the newest spare became the refresh token')
    state = 'suspect'
    cool = 0
  end
  if state ~= g[4] then
    timeline(prefix, now, ARGV[1], 'grant.' .. state, ARGV[7], { 'problem', ARGV[5], 'refreshes', g[13] or '0',
      'refreshed_at', g[11] or '', 'ends_at', g[14] or '' })
  end
  put_state(prefix, ARGV[1], g[4], state)
  if state == 'reauthorization_required' and state ~= g[4] then
    emit_grant(prefix, now, 'grant.reauthorization_required', ARGV[1], g[3], bindings_of(prefix, ARGV[1]),
      { 'code', 'reauthorization_required' })
  end
end
redis.call('HDEL', key, 'lease', 'lease_until')
if ARGV[6] == '0' then redis.call('HDEL', key, 'intent', 'intent_parent', 'sent_at') end
if state == 'reauthorization_required' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', key, 'due_at')
else
  -- During an incident the next probe is another's: one grant that is really dead must not keep the server closed.
  local due = whole(now + math.max(cool, incident and 60000 or 5000))
  redis.call('HSET', key, 'due_at', due)
  redis.call('ZADD', KEYS[2], due, ARGV[1])
end
redis.call('PUBLISH', 'b1:refresh-outcome', ARGV[1] .. ' failed')
return state
