#!lua flags=allow-oom
-- with: rotation
-- Offers a commit again to a Redis that may have lost it (F32): one that was restarted without the end of its file, or a
-- replica that took over and lacked it. What is stored here is the past of a history whose end the process remembers, and
-- perhaps something that happened since; so an offer may say nothing new, come in any order and from any process.
--
-- KEYS  1 grant  2 due
-- ARGV  1 to 17 as of refresh-commit  18 what that answered: committed | spare
--       19 when it was received, by the clock of the Redis that took it  20 clock offset (ms)
-- Answers restored | spare | superseded (its successor is here) | known | passed (no such grant, another consent, or revoked)
local now = now_ms()
local key = KEYS[1]
local text = function(n) return string.format('%.0f', n) end
local g = redis.call('HMGET', key, 'gen', 'rt_fp', 'done', 'rt_att', 'at_att', 'spares', 'spent', 'state', 'lease', 'att',
  'used_at', 'refreshed_at')
-- Deleted, or authorized anew: then its tokens were seen to. Never does an offer bring a grant back.
if not g[1] or g[1] ~= ARGV[4] or g[8] == 'revoked' then return 'passed' end
local done = cjson.decode(g[3] or '[]')
if answered_before(done, ARGV[2]) then return 'known' end

-- Its begin may be here and its end lost: then it stands in the way of others at its server until its lease ends.
redis.call('ZREM', prefix_of(key) .. 'server-gate:' .. ARGV[16] .. ':running', ARGV[2])

local n, parent, fp = tonumber(ARGV[3]), ARGV[5], ARGV[7]
local received = tonumber(ARGV[19])
local prefix = prefix_of(key)
-- Numbers of attempts are given out again when they were lost, so a number alone does not say what is newer.
local newer = n > math.max(tonumber(g[4] or '0'), tonumber(g[5] or '0')) and received >= tonumber(g[12] or '0')
-- Eight came after it: it may have been forgotten here, and nothing depends on it.
if not newer and #done >= 8 then return 'known' end
-- The next attempt is sealed under a number that was not used before.
if n > tonumber(g[10] or '0') then redis.call('HSET', key, 'att', text(n)) end

-- Fingerprints of tokens that an offered commit has spent: offered themselves, they are kept no more.
local spent = cjson.decode(g[7] or '[]')
local function is_spent(it)
  for _, one in ipairs(spent) do
    if one == it then return true end
  end
  return false
end
local function spend(it)
  if is_spent(it) then return end
  table.insert(spent, 1, it)
  while #spent > 8 do table.remove(spent) end
end
if fp ~= '' and fp ~= parent then spend(parent) end

local rt_fp = g[2]
local spares, as = cjson.decode(g[6] or '[]'), 'spare'
if (rt_fp and rt_fp == parent) or (fp ~= '' and rt_fp == fp) or (newer and fp ~= '' and ARGV[18] == 'committed') then
  as = 'restored'
  local due
  if fp ~= '' then
    -- What another has fetched since is of the same age, or nearly: whichever iManage honours, both are kept.
    if rt_fp and rt_fp ~= parent and rt_fp ~= fp and not is_spent(rt_fp) and #spares < 3 then
      spares[#spares + 1] = { sealed = redis.call('HGET', key, 'rt'), fp = rt_fp, att = g[4], at = text(now) }
    end
    rt_fp = fp
    redis.call('HSET', key, 'rt', ARGV[6], 'rt_fp', fp, 'rt_att', ARGV[3])
    if ARGV[9] == '1' then
      redis.call('HSET', key, 'rt_exp', text(received + tonumber(ARGV[8])))
      forecast(prefix, now, ARGV[1], received + tonumber(ARGV[8]))
    end
  end
  if ARGV[10] == '' then
    due = now
  elseif newer then
    local expires = received + tonumber(ARGV[12])
    local used = tonumber(g[11] or '0')
    if used > 0 and received - used <= 2 * tonumber(ARGV[12]) then
      due = expires - tonumber(ARGV[13])
    else
      due = received + tonumber(ARGV[14]) * (1 - tonumber(ARGV[15]) / 10)
    end
    expires, due = usable_until(key, now, expires, due)
    redis.call('HSET', key, 'at', ARGV[10], 'at_fp', ARGV[11], 'at_att', ARGV[3], 'at_exp', text(expires), 'at_life', ARGV[12],
      'soft', ARGV[13], 'refreshed_at', text(received))
  end
  -- A commit that was under way came before this one, whose child it is: kept as a spare then, and newer than this.
  local i = 1
  while spares[i] do
    if spares[i].parent == rt_fp then
      local child = table.remove(spares, i)
      spend(rt_fp)
      rt_fp = child.fp
      -- The access token that came with it was not kept: the next one is fetched at once.
      redis.call('HSET', key, 'rt', child.sealed, 'rt_fp', child.fp, 'rt_att', child.att, 'at_exp', text(now))
      due = now
      i = 1
    else
      i = i + 1
    end
  end
  if due then
    redis.call('HSET', key, 'due_at', text(due))
    redis.call('ZADD', KEYS[2], text(due), ARGV[1])
  end
  if g[8] ~= 'active' then timeline(prefix, now, ARGV[1], 'grant.recovered', 'it was ' .. g[8]) end
  -- Of a suspicion nobody was told.
  if g[8] == 'reauthorization_required' then
    emit_grant(prefix, now, 'grant.recovered', ARGV[1], ARGV[16], bindings_of(prefix, ARGV[1]))
  end
  put_state(prefix, ARGV[1], g[8], g[8] == 'paused' and 'paused' or 'active')
  redis.call('HDEL', key, 'retry_at', 'problem', 'problem_at', 'failing_since', 'refusals', 'refused_at', 'refused_cfg', 'calls')
  timeline(prefix, now, ARGV[1], 'refresh.restored', 'Redis had lost it, and a process still had it')
elseif fp ~= '' then
  if is_spent(fp) then as = 'superseded' end
  for _, spare in ipairs(spares) do
    if spare.fp == fp then as = 'known' end
  end
  -- Behind those that are there, and in nobody's place: of these it is not known how old they are.
  if as == 'spare' and #spares < 3 then
    spares[#spares + 1] = { sealed = ARGV[6], fp = fp, att = ARGV[3], at = text(received), parent = parent }
  end
end

local kept = {}
for _, spare in ipairs(spares) do
  if spare.fp ~= rt_fp and not is_spent(spare.fp) then kept[#kept + 1] = spare end
end
if #kept > 0 then redis.call('HSET', key, 'spares', cjson.encode(kept)) else redis.call('HDEL', key, 'spares') end
if #spent > 0 then redis.call('HSET', key, 'spent', cjson.encode(spent)) end
if as == 'restored' or as == 'spare' then
  note_rotation(prefix, now, key, ARGV)
  note_answered(key, done, ARGV[2], as == 'restored' and 'committed' or 'spare')
end
if g[9] == ARGV[2] then redis.call('HDEL', key, 'lease', 'lease_until', 'intent', 'intent_parent', 'sent_at') end
redis.call('PUBLISH', 'b1:refresh-outcome', ARGV[1] .. ' ' .. as)
return as
