-- One iManage server's gate, shared by every replica (design §4): circuit breaker, Retry-After, concurrency, rate and a
-- budget for retries. It lies in the organisation's slot, so a refresh asks and tells it in the very script that takes and
-- ends its lease. Scripts that begin with `-- with: gate` have it.
--
-- Hash `server-gate:<server>`
--   open, probe_at      why nothing is sent, and when one call may try again: upstream | incident | misconfigured
--   opened_at           since when
--   cfg                 the server's configuration generation when `misconfigured` was seen
--   fails               upstream failures in a row
--   pause_until         what Retry-After asked for: of a refresh, or of any other call (`calls.lua`)
--   tat                 GCRA of the rate
--   retries, retries_at tokens of the retry budget, and when they were counted last
--   a0 … a9, r0 … r9    refreshes answered, and refused, in each of the last ten minutes: `<minute>|<count>`
--   told                an event has told that it is misconfigured, and none yet that it recovered
--   refused_row         refusals since the last good answer
--   seen_static, seen_rotating   how refresh tokens came back, for the learned profile
--   previous, previous_at    whether access tokens outlived the refresh that replaced them: survive | end, seen when
--   code_late, code_late_at  age (ms) of the youngest authorization code that came too late, seen when
-- Sorted sets: `server-gate:<server>:running` attempt → end of its lease; `…:refused` grant → time of invalid_grant

-- Why these: five in a row is no accident; a probe each 15 s is 40 calls in ten minutes, and a repaired server is noticed
-- within a quarter of a minute. Half a minute is the longest pause: a server that was away for long and is back is in use again
-- within a minute, the sweep's time included (F03).
local FAILS_TO_OPEN = 5
local PROBE_MS = 15000
local BACKOFF_MS, BACKOFF_MAX_MS = 5000, 30000
-- Mass guard (F05): this many different grants refused, and this share of the answers refusals, within ten minutes. The
-- share is one of answers and not of grants: during an incident few grants are tried, and those again and again.
-- The gate closes after so many refusals in a row. While others are answered well in between (a node of several that is broken,
-- a backup that was restored) it stays open for them, and still nobody is marked.
local MASS_GRANTS, MASS_SHARE, MASS_WINDOW_MS = 5, 0.2, 600000
-- Time brings retries back too: where every grant waits for one, there is no success that could.
local RETRY_TOKENS, RETRY_GAIN, RETRY_MS = 10, 0.1, 5000

local function gate_key(prefix, server) return prefix .. 'server-gate:' .. server end
local function whole(n) return string.format('%.0f', n) end

-- Nobody cuts short what iManage asked for: neither a shorter wait that it asks of another call, nor a call that had left before
-- and is answered well.
local function gate_pause(key, now, ms)
  local till = math.max(tonumber(redis.call('HGET', key, 'pause_until') or '0'), now + ms)
  redis.call('HSET', key, 'pause_until', whole(till))
end

local function open_gate(key, now, why, ms)
  if redis.call('HGET', key, 'open') ~= why then redis.call('HSET', key, 'opened_at', whole(now)) end
  redis.call('HSET', key, 'open', why, 'probe_at', whole(now + ms))
end

-- Asks for one call. limits: concurrency, of which background may use, per second, burst, retries.
-- Answers nil where it may go, else why not and for how long: misconfigured | upstream | incident | throttled | busy
local function gate_admit(prefix, now, server, attempt, lease_ms, background, cfg, limits, retry)
  local key = gate_key(prefix, server)
  local g = redis.call('HMGET', key, 'open', 'probe_at', 'cfg', 'pause_until', 'tat', 'retries', 'retries_at')
  local probing = false
  if g[4] and tonumber(g[4]) > now then return 'throttled', tonumber(g[4]) - now end
  if g[1] == 'misconfigured' and g[3] ~= cfg then
    -- Somebody changed the registration: what was seen with the earlier one counts no more.
    redis.call('HDEL', key, 'open', 'opened_at', 'probe_at', 'cfg')
  elseif g[1] then
    if tonumber(g[2]) > now then return g[1], tonumber(g[2]) - now end
    probing = true
  end

  local running = key .. ':running'
  redis.call('ZREMRANGEBYSCORE', running, '-inf', now)
  local limit = background and limits.background or limits.concurrency
  if redis.call('ZCARD', running) >= limit then return 'busy', 250 end
  local emission = 1000 / limits.per_second
  local tat = math.max(tonumber(g[5] or '0'), now)
  if tat - (limits.burst - 1) * emission > now then return 'busy', math.ceil(tat - (limits.burst - 1) * emission - now) end
  if retry then
    local tokens = tonumber(g[6] or limits.retries) + (now - tonumber(g[7] or '0')) / RETRY_MS
    if tokens < 1 then return 'throttled', math.ceil((1 - tokens) * RETRY_MS) end
    tokens = math.min(tokens, limits.retries)
    redis.call('HSET', key, 'retries', string.format('%.3f', tokens - 1), 'retries_at', whole(now))
  end

  redis.call('HSET', key, 'tat', string.format('%.3f', tat + emission))
  redis.call('ZADD', running, whole(now + lease_ms), attempt)
  if probing then redis.call('HSET', key, 'probe_at', whole(now + PROBE_MS)) end
  return nil
end

local function gate_leave(prefix, server, attempt)
  if redis.call('ZREM', gate_key(prefix, server) .. ':running', attempt) == 1 then
    redis.call('PUBLISH', 'b1:refresh-outcome', server .. ' left')
  end
end

-- Counts an answer (`a`) or a refusal (`r`); answers how many there were in the last ten minutes.
local function gate_tally(key, now, what)
  local minute = math.floor(now / 60000)
  local cells = {}
  for i = 0, 9 do cells[i + 1] = what .. i end
  local sum = 0
  for i, cell in ipairs(redis.call('HMGET', key, unpack(cells))) do
    local m, count = string.match(cell or '', '^(%d+)|(%d+)$')
    local fresh = m and minute - tonumber(m) < 10
    if i - 1 == minute % 10 then
      count = (m and tonumber(m) == minute) and count + 1 or 1
      redis.call('HSET', key, cells[i], minute .. '|' .. count)
      sum = sum + count
    elseif fresh then
      sum = sum + count
    end
  end
  return sum
end

local function gate_succeeded(prefix, now, server, attempt, grant)
  local key = gate_key(prefix, server)
  gate_tally(key, now, 'a')
  local retries = redis.call('HGET', key, 'retries')
  if redis.call('HDEL', key, 'told') == 1 then emit(prefix, now, 'server.recovered', { 'server', server }) end
  redis.call('HDEL', key, 'open', 'opened_at', 'probe_at', 'cfg', 'fails', 'refused_row')
  redis.call('ZREM', key .. ':refused', grant)
  if retries and tonumber(retries) < RETRY_TOKENS then redis.call('HSET', key, 'retries', tonumber(retries) + RETRY_GAIN) end
  gate_leave(prefix, server, attempt)
end

-- What a failure says of the server. Answers, where it is the server that refuses and not this grant that is dead, `incident`, or
-- `mass` while others are answered well in between.
local function gate_failed(prefix, now, server, attempt, grant, class, wait_ms, cfg)
  local key = gate_key(prefix, server)
  local verdict
  if class == 'not_sent' or class == 'unknown' or class == 'upstream' then
    local fails = redis.call('HINCRBY', key, 'fails', 1)
    if fails >= FAILS_TO_OPEN then
      open_gate(key, now, 'upstream', math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ^ math.min(fails - FAILS_TO_OPEN, 10)))
    end
    if class == 'upstream' and wait_ms > 2000 then gate_pause(key, now, wait_ms) end
  else
    redis.call('HDEL', key, 'fails')
    local answered = gate_tally(key, now, 'a')
    if class == 'throttled' then
      gate_pause(key, now, wait_ms)
    elseif class == 'invalid_client' then
      redis.call('HSET', key, 'cfg', cfg)
      if redis.call('HSETNX', key, 'told', 'misconfigured') == 1 then
        emit(prefix, now, 'server.misconfigured', { 'server', server, 'code', 'client_secret_refused' })
      end
      open_gate(key, now, 'misconfigured', PROBE_MS)
    elseif class == 'invalid_grant' then
      redis.call('ZADD', key .. ':refused', whole(now), grant)
      redis.call('ZREMRANGEBYSCORE', key .. ':refused', '-inf', now - MASS_WINDOW_MS)
      local grants, refusals = redis.call('ZCARD', key .. ':refused'), gate_tally(key, now, 'r')
      -- Once it is one, only good news ends it: the few that are tried meanwhile are too few to count again.
      local already = redis.call('HGET', key, 'open') == 'incident'
      local row = redis.call('HINCRBY', key, 'refused_row', 1)
      if already or (grants >= MASS_GRANTS and refusals >= MASS_SHARE * answered) then
        verdict = 'mass'
        if already or row >= MASS_GRANTS then
          open_gate(key, now, 'incident', PROBE_MS)
          verdict = 'incident'
        end
      end
    end
  end
  gate_leave(prefix, server, attempt)
  return verdict
end

-- Does this server leave a refresh token usable after it was used? Learned from answers alone, never by trying.
local function gate_learn(prefix, server, came_back)
  redis.call('HINCRBY', gate_key(prefix, server), came_back == 'rotated' and 'seen_rotating' or 'seen_static', 1)
end

local function gate_survives_reuse(prefix, server)
  local seen = redis.call('HMGET', gate_key(prefix, server), 'seen_static', 'seen_rotating')
  return tonumber(seen[1] or '0') >= 3 and not seen[2]
end
