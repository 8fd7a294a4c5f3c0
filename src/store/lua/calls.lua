-- What one iManage server's REST API may be asked (design §8), beside its gate and in the same hash, so that a pause that a
-- call or a refresh is told of holds both. Scripts that begin with `-- with: gate calls` have it.
--
-- Hash `server-gate:<server>`, besides what `gate.lua` keeps there
--   left, left_until    what iManage says remains of its window, less what has left since; when the window ends
--   window, window_ms   the most that was seen to remain in it, and its length as far as it was seen
--   assumed             the window is a guess: like the one before, until an answer says
--   tat_quick, tat_scan GCRA of quick calls and of scans
--   slow                time between two calls, where iManage says 429 and never how much remains
-- Sorted sets: `server-gate:<server>:calling` background call → when it is believed dead; `…:away` who was sent away → when it is
-- his turn

-- A window is told in whole seconds, so that two answers of one window may differ by one; half a second for the way.
local SAME_WINDOW_MS = 1500
-- Where 429 is all that iManage says: twice as slow for each, at most this slow, and with each good answer a little quicker.
local SLOW_MS, SLOW_MAX_MS, SLOW_EASE = 100, 30000, 0.98
-- Of a quick call's time so much is taken from the scans: where there are more quick ones than fit, some is left to those.
local TAKEN_FROM_SCANS = 0.75
local BUSY_MS, AWAY_MAX_MS = 250, 60000

local function calls_forget_window(key)
  redis.call('HDEL', key, 'left', 'left_until', 'window', 'window_ms', 'assumed', 'tat_quick', 'tat_scan')
end

local function calls_begin_queue(key)
  redis.call('HDEL', key, 'tat_quick', 'tat_scan')
  redis.call('DEL', key .. ':away')
end

-- When a scan may go. Whoever was sent away comes before those who were not, also before one that has just had its turn and asks
-- for the next page: so each gets as many.
local function calls_turn(key, now, asker, tat, per)
  local away = key .. ':away'
  redis.call('ZREMRANGEBYSCORE', away, '-inf', now - AWAY_MAX_MS)
  local at = math.max(now, tat)
  if redis.call('ZSCORE', away, asker) then return at end
  local last = redis.call('ZRANGE', away, -1, -1, 'WITHSCORES')[2]
  return last and math.max(at, tonumber(last) + per) or at
end

-- Asks for one call. asker: whose scan it is. priority: interactive | quick | scan. limits: `calls`, of which `scans` at once; per second; `burst` of quick
-- calls; `reserve` and `scan_reserve`, the share of a window that stays for others. follows: a call under way whose place this one
-- takes over, or ''.
-- Answers in how many ms it may leave, at most `patience`; or nil, when to ask again, and why: throttled | spent | paced | busy
local function calls_ask(prefix, now, server, call, asker, priority, patience, lease_ms, limits, follows)
  local key = gate_key(prefix, server)
  local g = redis.call('HMGET', key, 'pause_until', 'left', 'left_until', 'window', 'window_ms', 'tat_quick', 'tat_scan', 'slow')
  if g[1] and tonumber(g[1]) > now then return nil, tonumber(g[1]) - now, 'throttled' end
  local left, till = tonumber(g[2]), tonumber(g[3])
  local tat_quick, tat_scan = tonumber(g[6] or '0'), tonumber(g[7] or '0')
  if left and till <= now then
    left, till = tonumber(g[4]), now + tonumber(g[5])
    tat_quick, tat_scan = 0, 0
    redis.call('HSET', key, 'left', whole(left), 'left_until', whole(till), 'assumed', '1')
    calls_begin_queue(key)
  end
  if priority == 'interactive' then
    -- Somebody waits: what was learned only tells others to hold back.
    if left then redis.call('HSET', key, 'left', whole(math.max(0, left - 1))) end
    return 0
  end

  local calling = key .. ':calling'
  redis.call('ZREMRANGEBYSCORE', calling, '-inf', now)
  local quick = priority == 'quick'
  local under_way = redis.call('ZCARD', calling)
  if follows ~= '' and redis.call('ZSCORE', calling, follows) then under_way = under_way - 1 end
  if under_way >= (quick and limits.calls or limits.scans) then return nil, BUSY_MS, 'busy' end
  local per = math.max(1000 / limits.per_second, tonumber(g[8] or '0'))
  if left then
    local free = left - math.ceil(tonumber(g[4]) * (quick and limits.reserve or limits.scan_reserve))
    if free < 1 then return nil, till - now, 'spent' end
    -- What remains is spread over the time that remains, so that there is always some for who comes next.
    per = math.max(per, (till - now) / free)
  end

  local at = quick and math.max(now, tat_quick - (limits.burst - 1) * per) or calls_turn(key, now, asker, tat_scan, per)
  if at - now > patience then
    if not quick then redis.call('ZADD', key .. ':away', whole(at), asker) end
    return nil, math.ceil(math.min(at - now, left and till - now or AWAY_MAX_MS)), 'paced'
  end
  if quick then
    redis.call('HSET', key, 'tat_quick', string.format('%.3f', math.max(tat_quick, now) + per), 'tat_scan',
      string.format('%.3f', math.max(tat_scan, now) + TAKEN_FROM_SCANS * per))
  else
    redis.call('HSET', key, 'tat_scan', string.format('%.3f', at + per))
    redis.call('ZREM', key .. ':away', asker)
  end
  if left then redis.call('HSET', key, 'left', whole(left - 1)) end
  if follows ~= '' then redis.call('ZREM', calling, follows) end
  redis.call('ZADD', calling, whole(at + lease_ms), call)
  return math.ceil(at - now)
end

-- What an answer said. wait_ms: nil, or the 429's; remaining, reset_ms: nil where it did not say.
local function calls_tell(prefix, now, server, call, wait_ms, remaining, reset_ms)
  local key = gate_key(prefix, server)
  local calling = key .. ':calling'
  redis.call('ZREM', calling, call)
  local g = redis.call('HMGET', key, 'left', 'left_until', 'window', 'window_ms', 'assumed', 'slow', 'pause_until')
  local left, till = tonumber(g[1]), tonumber(g[2])

  if remaining then
    -- Calls under way may or may not be counted in it.
    local known = math.max(0, remaining - redis.call('ZCARD', calling))
    local ends = now + reset_ms
    if not left or g[5] or till <= now or ends > till + SAME_WINDOW_MS then
      redis.call('HSET', key, 'left', whole(known), 'left_until', whole(ends), 'window', whole(remaining + 1), 'window_ms', whole(reset_ms))
      -- A guess that was right is no reason to begin a new queue.
      if not g[5] or math.abs(ends - till) > SAME_WINDOW_MS then calls_begin_queue(key) end
      redis.call('HDEL', key, 'assumed')
    else
      redis.call('HSET', key, 'left', whole(math.min(left, known)), 'window', whole(math.max(tonumber(g[3]), remaining + 1)))
    end
  elseif left and not wait_ms then
    -- It says nothing of limits any more.
    calls_forget_window(key)
  end

  if wait_ms then
    local paused = tonumber(g[7] or '0') > now
    gate_pause(key, now, wait_ms)
    if not remaining and not paused then
      redis.call('HSET', key, 'slow', whole(math.min(SLOW_MAX_MS, math.max(SLOW_MS, 2 * tonumber(g[6] or '0')))))
    end
  elseif g[6] then
    local slow = tonumber(g[6]) * SLOW_EASE
    if slow < SLOW_MS / 4 then redis.call('HDEL', key, 'slow') else redis.call('HSET', key, 'slow', string.format('%.1f', slow)) end
  end
end

-- A place that was not used.
local function calls_give_back(prefix, server, call)
  local key = gate_key(prefix, server)
  if redis.call('ZREM', key .. ':calling', call) == 1 and redis.call('HEXISTS', key, 'left') == 1 then redis.call('HINCRBY', key, 'left', 1) end
end
