#!lua
-- with: containment restore
-- Hands out a grant's access token and writes the audit entry, in one step (design §3.10, §3.11).
--
-- KEYS  1 gate. The others, of the same slot, are derived from it: each name that is sent costs more than the look-up.
-- ARGV  1 client  2 server  3 binding digest  4 policy generation  5 min ttl (ms)  6 rejected fingerprint or ''
--       7 emission interval (ms per token)  8 burst (tokens)  9 counts for rate 0|1  10 audit cap (entries not exported)
--       11 pause between refreshes for a rejected token (ms)  12 actor  13 request id  14 purpose  15 address
--       16 subject type  17 may the caller be asked to wait 0|1
--       18 digests of who a person is and what is claimed of him, separated by blanks; '' for libraries
--       19 library or ''  20 different grants an hour, or '' for any number
--       21 only asking 0|1: the same answers, nothing is written and nothing handed out  22 clock offset (ms)
-- Answers a list whose first item names it:
--   served grant at gen at_att at_fp at_exp left_ms owner seq behind warning organisation policy
--     the last two: how the stored records begin, so that who reads the answer sees whether they say the same as the gate
--   would_serve grant organisation policy: when only asking
--   ageing grant: about to end, and what is handed out now may not outlive the refresh behind it
--   parked grant why: a library whose owner may not lend it any more
--   stale grant | rejected grant fp | rejected_again grant ms | unbound | state grant state
--   contained selector containment | disabled | restoring (put back to an earlier state, F33) | not_a_member | policy_changed | rate_limited ms | audit_backlog
--   budget_exceeded grant ms noted: too many different grants within an hour (T33)
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local asking = ARGV[21] == '1'
local rate_key, budget_key = prefix .. 'rate:' .. ARGV[1], prefix .. 'grants-had:' .. ARGV[1]

local gate = redis.call('HMGET', KEYS[1], 'enabled', 'policies', 'members', 'audit', 'acked', 'windows', 'restore')
-- Before anything was acknowledged in this way, what was exported had left the stream.
local audit_full = (gate[5] and tonumber(gate[4]) - tonumber(gate[5]) or redis.call('XLEN', prefix .. 'audit')) >= tonumber(ARGV[10])
if (gate[2] or '0') ~= ARGV[4] then return { 'policy_changed' } end
if gate[1] ~= '1' then return { 'disabled' } end
if gate[7] and restore_closed(gate[7]) then return { 'restoring' } end
if gate[3] == 'some' and ARGV[18] ~= '' then
  local member = false
  for digest in string.gmatch(ARGV[18], '%S+') do
    member = member or redis.call('SISMEMBER', prefix .. 'members', digest) == 1
  end
  if not member then return { 'not_a_member' } end
end

local grant = redis.call('GET', prefix .. 'binding:' .. ARGV[3])
local key = grant and prefix .. 'grant:' .. grant
local g = grant and redis.call('HMGET', key, 'state', 'at', 'at_fp', 'at_exp', 'at_att', 'gen', 'owner', 'used_at', 'at_life',
  'soft', 'due_at', 'forced_at', 'problem', 'rt', 'server', 'lease_until', 'retry_at', 'consent', 'consented_at') or {}

local stopped, by = stopped_by(prefix, gate[6], { client = ARGV[1], server = ARGV[2], binding = ARGV[3], grant = grant, gen = g[6],
  user = g[18], consented_at = g[19] })
if stopped then return { 'contained', stopped, by } end

if ARGV[9] == '1' then
  local emission, burst = tonumber(ARGV[7]), tonumber(ARGV[8])
  local tat = math.max(tonumber(redis.call('GET', rate_key) or '0'), now)
  local allow_at = tat - (burst - 1) * emission
  if now < allow_at then return { 'rate_limited', math.ceil(allow_at - now) } end
  if not asking then
    redis.call('SET', rate_key, string.format('%.3f', tat + emission), 'PX', math.ceil(tat + emission - now) + 1000)
  end
end

if not g[1] or g[15] ~= ARGV[2] then return { 'unbound' } end
if g[1] ~= 'active' and g[1] ~= 'suspect' then return { 'state', grant, g[1] } end

local library = ARGV[16] == 'library'
local parked = library and redis.call('HGET', prefix .. 'parked', ARGV[3])
if parked then return { 'parked', grant, parked } end

-- Before anything is asked of iManage. Exact: whatever hour one looks at, no more grants than that were served in it.
local hour = 3600000
if ARGV[20] ~= '' then
  local since = '(' .. string.format('%.0f', now - hour)
  local over = redis.call('ZCOUNT', budget_key, since, '+inf') - tonumber(ARGV[20])
  if over >= 0 and tonumber(redis.call('ZSCORE', budget_key, grant) or '0') <= now - hour then
    -- Where the budget was lowered, more than one has to grow old before there is room.
    local makes_room = redis.call('ZRANGEBYSCORE', budget_key, since, '+inf', 'WITHSCORES', 'LIMIT', over, 1)
    local again = makes_room[2] and math.max(1, tonumber(makes_room[2]) + hour - now) or hour
    local told = budget_key .. ':told'
    local noted = 0
    if not asking and now - tonumber(redis.call('GET', told) or '0') >= hour and not audit_full then
      noted = 1
      redis.call('SET', told, string.format('%.0f', now), 'PX', hour)
      audit(prefix, now, { 'action', 'policy.budget_exceeded', 'actor', ARGV[12], 'client', ARGV[1], 'server', ARGV[2],
        'grant', grant, 'request', ARGV[13], 'address', ARGV[15] })
    end
    return { 'budget_exceeded', grant, math.ceil(again), noted }
  end
end

local left = g[2] and tonumber(g[4]) - now or 0
if ARGV[6] ~= '' and ARGV[6] == g[3] then
  if not g[14] then return { 'state', grant, 'reauthorization_required' } end
  local again = (tonumber(g[12] or '0') + tonumber(ARGV[11])) - now
  -- While the refresh that an earlier report caused is under way, later ones wait for it instead of for a minute.
  local under_way = g[16] and tonumber(g[16]) > now
  if again > 0 and not under_way then return { 'rejected_again', grant, math.ceil(again) } end
  return { 'rejected', grant, g[3] }
end
if left <= 0 or left < tonumber(ARGV[5]) then
  if not g[14] then
    -- Session-only: it lives while its access token does, down to the last second.
    if left <= 0 then return { 'state', grant, 'reauthorization_required' } end
  else
    -- A caller who wants more life than iManage ever gives gets what there is rather than a refresh on every call.
    local fresh = tonumber(g[9] or '0')
    if not (g[2] and left > 0 and tonumber(ARGV[5]) >= fresh and left >= fresh * 0.9) then return { 'stale', grant } end
  end
end

local behind = g[14] and left < tonumber(g[10])
-- While refreshing fails nobody waits for it: what there is, is served.
local failing = g[17] and tonumber(g[17]) > now
if behind and not failing and ARGV[17] == '1' and redis.call('HGET', prefix .. 'server-gate:' .. ARGV[2], 'previous') ~= 'survive' then
  return { 'ageing', grant }
end

if audit_full then return { 'audit_backlog' } end
if asking then
  return { 'would_serve', grant, redis.call('GETRANGE', prefix .. 'organisation', 0, 95),
    redis.call('GETRANGE', prefix .. 'policy:' .. ARGV[1], 0, 95) }
end
if ARGV[20] ~= '' then
  redis.call('ZREMRANGEBYSCORE', budget_key, '-inf', now - hour)
  redis.call('ZADD', budget_key, string.format('%.0f', now), grant)
  redis.call('PEXPIRE', budget_key, hour)
end
local entry = { 'action', 'token.issued', 'actor', ARGV[12], 'client', ARGV[1], 'server', ARGV[2],
  'grant', grant, 'token', g[3], 'subject', ARGV[16], 'request', ARGV[13], 'purpose', ARGV[14], 'address', ARGV[15] }
if library then
  -- Who lent the authorisation that the library's client now works with.
  local lender = cjson.decode(g[7])
  entry[#entry + 1] = 'library'
  entry[#entry + 1] = ARGV[19]
  entry[#entry + 1] = 'lent_by'
  entry[#entry + 1] = lender.customerId .. '/' .. lender.userId
end
local seq = audit(prefix, now, entry)

-- Noted at most once per quarter of a token's life: the hot path stays one write.
local life = tonumber(g[9])
if library then
  local use = ARGV[3] .. ' ' .. ARGV[1]
  local used = redis.call('HGET', prefix .. 'library-uses', use)
  if now - tonumber(used or '0') > life / 4 then
    redis.call('HSET', prefix .. 'library-uses', use, string.format('%.0f', now))
  end
end
if now - tonumber(g[8] or '0') > life / 4 then
  redis.call('HSET', key, 'used_at', string.format('%.0f', now))
  redis.call('HDEL', key, 'lapsing')
  local ahead = tonumber(g[4]) - tonumber(g[10])
  if g[14] and tonumber(g[11] or '0') > ahead then
    redis.call('HSET', key, 'due_at', string.format('%.0f', ahead))
    redis.call('ZADD', prefix .. 'due:refresh', ahead, grant)
  end
end

return { 'served', grant, g[2], g[6], g[5], g[3], g[4], math.floor(left), g[7], seq, behind and '1' or '0', g[13] or '',
  redis.call('GETRANGE', prefix .. 'organisation', 0, 95), redis.call('GETRANGE', prefix .. 'policy:' .. ARGV[1], 0, 95) }
