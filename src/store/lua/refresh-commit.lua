#!lua flags=allow-oom
-- with: gate rotation
-- Stores what a refresh brought. Nothing received is ever discarded: what cannot become primary is kept as a spare, what
-- belongs to nothing any more goes to the revocation outbox. Works when Redis is full. Idempotent by attempt.
--
-- KEYS  1 grant  2 due  3 revocations
-- ARGV  1 grant id  2 attempt  3 attempt number  4 consent generation  5 parent fingerprint
--       6 sealed refresh token or ''  7 its fingerprint or ''  8 refresh life (ms)  9 use extends it 0|1
--       10 sealed access token or ''  11 its fingerprint or ''  12 its life (ms)  13 soft margin (ms)
--       14 keep-alive (ms)  15 jitter [0,1)  16 server  17 registration  18 clock offset (ms)
-- Answers committed | spare | orphaned
-- Shorter ones are nobody's story: a timeline has two hundred places.
local OUTAGE_MS = 60000

local now = now_ms()
local key = KEYS[1]
local text = function(n) return string.format('%.0f', n) end
local g = redis.call('HMGET', key, 'gen', 'rt_fp', 'done', 'at_att', 'lease', 'spares', 'used_at', 'rt_exp', 'state', 'revoked_by',
  'failing_since', 'problem')
local prefix = prefix_of(key)

-- Its organisation was shredded: with what this is sealed is gone, and nothing is to be stored for it again (T28).
if not g[1] and redis.call('EXISTS', prefix .. 'shredded') == 1 then return 'orphaned' end
if not g[1] or g[1] ~= ARGV[4] or g[9] == 'revoked' then
  local tokens = {}
  if ARGV[10] ~= '' then tokens[#tokens + 1] = { 'access-token', ARGV[10], ARGV[3] } end
  if ARGV[6] ~= '' then tokens[#tokens + 1] = { 'refresh-token', ARGV[6], ARGV[3] } end
  -- Sealed anew each time, so a text that is there came with this very command, whose reply was lost.
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 100)) do
    for _, value in ipairs(entry[2]) do
      if value ~= '' and (value == ARGV[6] or value == ARGV[10]) then return 'orphaned' end
    end
  end
  gate_succeeded(prefix, now, ARGV[16], ARGV[2], ARGV[1])
  local outlived = not g[1] and redis.call('GET', prefix .. 'outlived:' .. ARGV[1])
  local not_before, consent = string.match(outlived or '', '^(%d+) (.*)$')
  to_revocations(prefix, now, ARGV[1], ARGV[16], ARGV[17], ARGV[4], tokens, tonumber(not_before), consent,
    g[1] == ARGV[4] and g[10] or nil)
  if g[5] == ARGV[2] then redis.call('HDEL', key, 'lease', 'lease_until', 'intent', 'intent_parent', 'sent_at') end
  return 'orphaned'
end
-- The last eight attempts that were stored: a command whose reply was lost may come again after others.
local done = cjson.decode(g[3] or '[]')
local answered = answered_before(done, ARGV[2])
if answered then return answered end
gate_succeeded(prefix, now, ARGV[16], ARGV[2], ARGV[1])
gate_learn(prefix, ARGV[16], (ARGV[6] ~= '' and ARGV[7] ~= ARGV[5]) and 'rotated' or 'same')
local spares = cjson.decode(g[6] or '[]')
if ARGV[7] ~= '' then
  local others = {}
  for _, spare in ipairs(spares) do
    if spare.fp ~= ARGV[7] then others[#others + 1] = spare end
  end
  spares = others
end

local as = 'committed'
-- Also where the primary token itself comes back, as servers with a leeway may give it. And late good news revives: a grant
-- whose own token was refused for good has nothing that this could overwrite.
if g[2] == ARGV[5] or (ARGV[7] ~= '' and g[2] == ARGV[7]) or g[9] == 'reauthorization_required' then
  if ARGV[6] ~= '' then
    redis.call('HSET', key, 'rt', ARGV[6], 'rt_fp', ARGV[7], 'rt_att', ARGV[3])
    -- Whether use extends a refresh token's life is unknown (facts page): a new one is believed to live as long as the
    -- first only where the server is said to extend it.
    if ARGV[9] == '1' then
      redis.call('HSET', key, 'rt_exp', text(now + tonumber(ARGV[8])))
      forecast(prefix, now, ARGV[1], now + tonumber(ARGV[8]))
    end
  end
  if ARGV[10] ~= '' and tonumber(ARGV[3]) > tonumber(g[4] or '0') then
    local expires = now + tonumber(ARGV[12])
    local used = tonumber(g[7] or '0')
    local due
    if used > 0 and now - used <= 2 * tonumber(ARGV[12]) then
      due = expires - tonumber(ARGV[13])
    else
      due = now + tonumber(ARGV[14]) * (1 - tonumber(ARGV[15]) / 10)
    end
    expires, due = usable_until(key, now, expires, due)
    redis.call('HSET', key, 'at', ARGV[10], 'at_fp', ARGV[11], 'at_att', ARGV[3], 'at_exp', text(expires), 'at_life', ARGV[12],
      'soft', ARGV[13], 'refreshed_at', text(now), 'due_at', text(due))
    redis.call('ZADD', KEYS[2], text(due), ARGV[1])
    redis.call('HINCRBY', key, 'refreshes', 1)
  elseif ARGV[10] == '' then
    -- Only a refresh token could be saved: the next refresh goes at once, with the new one.
    redis.call('HSET', key, 'due_at', text(now))
    redis.call('ZADD', KEYS[2], text(now), ARGV[1])
  end
  if g[9] ~= 'active' then
    timeline(prefix, now, ARGV[1], 'grant.recovered', 'it was ' .. g[9])
  elseif g[11] and now - tonumber(g[11]) >= OUTAGE_MS then
    timeline(prefix, now, ARGV[1], 'refresh.recovered', g[12] or '', { 'since', g[11] })
  end
  -- Of a suspicion nobody was told.
  if g[9] == 'reauthorization_required' then
    emit_grant(prefix, now, 'grant.recovered', ARGV[1], ARGV[16], bindings_of(prefix, ARGV[1]))
  end
  put_state(prefix, ARGV[1], g[9], g[9] == 'paused' and 'paused' or 'active')
  redis.call('HDEL', key, 'retry_at', 'problem', 'problem_at', 'failing_since', 'refusals', 'refused_at', 'refused_cfg', 'calls')
else
  as = 'spare'
  if ARGV[6] ~= '' then
    table.insert(spares, 1, { sealed = ARGV[6], fp = ARGV[7], att = ARGV[3], at = text(now), parent = ARGV[5] })
    while #spares > 3 do table.remove(spares) end
    timeline(prefix, now, ARGV[1], 'refresh.late', 'a refresh token that came late is kept as a spare')
  end
end
if #spares > 0 then redis.call('HSET', key, 'spares', cjson.encode(spares)) else redis.call('HDEL', key, 'spares') end
note_rotation(prefix, now, key, ARGV)
note_answered(key, done, ARGV[2], as)
if g[5] == ARGV[2] then redis.call('HDEL', key, 'lease', 'lease_until', 'intent', 'intent_parent', 'sent_at') end
redis.call('PUBLISH', 'b1:refresh-outcome', ARGV[1] .. ' ' .. as)
return as
