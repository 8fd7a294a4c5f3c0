#!lua
-- with: containment
-- Stores consent, opening its grant or renewing it, and binds a user to it. Of two sign-ins of one person
-- whose ends cross, the tokens of the later one stay: at iManage it may have ended the earlier one's.
--
-- KEYS  1 grant  2 consent index  3 grants  4 due  5 gate  6 binding or the grant again where there is none
-- ARGV  1 grant id  2 consent generation  3 server  4 registration  5 owner (JSON)  6 consent digest
--       7 sealed refresh token or ''  8 its fingerprint  9 its life (ms)
--       10 sealed access token  11 its fingerprint  12 its life (ms)  13 soft margin (ms)  14 keep-alive (ms)
--       15 binding digest or ''  16 binding (JSON)  17 actor  18 request id
--       19 how long a grant that nothing is bound to is kept (ms)  20 since when the tokens are here (ms ago)
--       21 clock offset (ms)
-- Answers stored; contained: nothing may be put where tokens are stopped, by now; stale where the grant has another generation than the one this consent follows; bound_to_another where
-- the user is bound to another grant by now, which is another person's (T11).
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local id = ARGV[1]
local text = function(n) return string.format('%.0f', n) end

-- Its organisation was shredded while the person signed in (T28).
if redis.call('EXISTS', prefix .. 'shredded') == 1 then return 'stale' end
local indexed = redis.call('GET', KEYS[2])
local gen = tonumber(redis.call('HGET', KEYS[1], 'gen') or '0')
-- Sealed anew each time: this very consent is stored, and its reply was lost.
if gen == tonumber(ARGV[2]) and redis.call('HGET', KEYS[1], 'at') == ARGV[10] then return 'stored' end
if (indexed and indexed ~= id) or gen + 1 ~= tonumber(ARGV[2]) then return 'stale' end

local binding = ARGV[15] ~= '' and cjson.decode(ARGV[16])
if stopped_by(prefix, nil, { client = binding and binding.client, server = ARGV[3], binding = binding and ARGV[15], grant = id,
  user = ARGV[6] }) then return 'contained' end
local before = binding and redis.call('GET', KEYS[6])
if before and before ~= id and redis.call('EXISTS', prefix .. 'grant:' .. before) == 1 then
  -- Of an imported one a file says whose it is, and iManage has not said so: who signs in now is believed, and it makes room.
  local imported = redis.call('HGET', prefix .. 'grant:' .. before, 'imported')
  if imported and imported ~= 'verified' then
    drop_grant(prefix, now, before, imported ~= 'another_user' and 'spared', {}, 'replaced')
  else
    return 'bound_to_another'
  end
end

if gen == 0 then
  redis.call('HSET', KEYS[1], 'v', 1, 'created_at', text(now), 'att', 0)
  redis.call('ZADD', KEYS[3], text(now), id)
end

local received = now - tonumber(ARGV[20])
local held = redis.call('HMGET', KEYS[1], 'state', 'rt', 'received_at', 'imported', 'server', 'registration', 'gen')
-- What was imported as his and is another's is of no use to anybody here.
if held[4] == 'another_user' then
  to_revocations(prefix, now, id, held[5], held[6], held[7], tokens_of(KEYS[1]), nil, ARGV[6])
end
local overtaken = (held[1] == 'active' or held[1] == 'suspect') and held[2] and received < tonumber(held[3] or '0')
if not overtaken then
  -- An attempt that is under way belongs to the earlier consent: its answer finds another generation and is orphaned.
  redis.call('HDEL', KEYS[1], 'lease', 'lease_until', 'intent', 'intent_parent', 'sent_at', 'retry_at', 'problem',
    'problem_at', 'failing_since', 'refreshes', 'refusals', 'refused_at', 'spares', 'done', 'rt', 'rt_fp', 'rt_att', 'rt_exp', 'forced_at', 'due_at',
    'refused_cfg', 'calls', 'lapsing', 'spent', 'revoked_by', 'imported', 'import_exp', 'import_due', 'exported')
  put_state(prefix, id, held[1], 'active')
  redis.call('HSET', KEYS[1], 'gen', ARGV[2], 'server', ARGV[3], 'registration', ARGV[4], 'owner', ARGV[5],
    'consent', ARGV[6], 'consented_at', text(now), 'received_at', text(received), 'at', ARGV[10], 'at_fp', ARGV[11],
    'at_att', 0, 'at_exp', text(received + tonumber(ARGV[12])), 'at_life', ARGV[12], 'soft', ARGV[13])
  redis.call('SET', KEYS[2], id)
  if ARGV[7] ~= '' then
    local due = now + tonumber(ARGV[14])
    redis.call('HSET', KEYS[1], 'rt', ARGV[7], 'rt_fp', ARGV[8], 'rt_att', 0, 'rt_exp', text(received + tonumber(ARGV[9])),
      'due_at', text(due))
    redis.call('ZADD', KEYS[4], text(due), id)
    forecast(prefix, now, id, received + tonumber(ARGV[9]))
  else
    redis.call('ZREM', KEYS[4], id)
    -- Nothing can be renewed: it ends with its access token, which is told then.
    redis.call('ZADD', prefix .. 'due:expiry', text(received + tonumber(ARGV[12])), id)
    redis.call('ZREM', prefix .. 'grant-ends', id)
  end
end

if binding then
  redis.call('SET', KEYS[6], id)
  binding.since = text(now)
  redis.call('HSET', prefix .. 'grant-bindings:' .. id, ARGV[15], cjson.encode(binding))
end

-- A sign-in to one of our own pages leaves a grant that nobody uses yet: it is reaped unless something is bound to it.
if redis.call('HLEN', prefix .. 'grant-bindings:' .. id) == 0 then
  redis.call('ZADD', prefix .. 'unbound', text(now + tonumber(ARGV[19])), id)
else
  redis.call('ZREM', prefix .. 'unbound', id)
end

local seq = audit(prefix, now, { 'action', 'grant.authorized', 'actor', ARGV[17], 'server', ARGV[3], 'grant', id, 'generation',
  redis.call('HGET', KEYS[1], 'gen'), 'request', ARGV[18] })
redis.call('HSET', KEYS[1], 'rt_seq', text(seq))
emit_grant(prefix, now, 'grant.authorized', id, ARGV[3], bindings_of(prefix, id))
redis.call('PUBLISH', 'b1:refresh-outcome', id .. ' authorized')
return 'stored'
