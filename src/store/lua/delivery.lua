-- What waits for a subscription. Scripts that begin with `-- with: delivery` have it. An event that waits is written
-- `<number>-<when it happened>-<when it was put on its lane>`; the fields of the hash are listed in `lua/README.md`.

-- True, and the lease goes on, where it is still this owner's.
local function holds(key, owner, now, lease_ms)
  if redis.call('HGET', key, 'lease') ~= owner then return false end
  redis.call('HSET', key, 'lease_until', string.format('%.0f', now + tonumber(lease_ms)))
  return true
end

local function lane_key(key, id, lane) return prefix_of(key) .. 'delivery-lane:' .. id .. ':' .. lane end

-- Puts an event behind its lane; a lane that waits for its head goes on waiting.
local function append(delivery, lanes, id, lane, position, now)
  local at = string.format('%.0f', now)
  redis.call('RPUSH', lane_key(delivery, id, lane), position .. '-' .. at)
  redis.call('ZADD', lanes, 'NX', at, lane)
  redis.call('HINCRBY', delivery, 'waiting', 1)
end

-- Takes the head off its lane; answers the next one, or nil where there is none: then the lane is gone.
local function take_off(delivery, lanes, heads, id, lane, now)
  local list = lane_key(delivery, id, lane)
  redis.call('LPOP', list)
  redis.call('HINCRBY', delivery, 'waiting', -1)
  redis.call('HDEL', heads, lane)
  local next = redis.call('LINDEX', list, 0)
  if next then redis.call('ZADD', lanes, string.format('%.0f', now), lane) else redis.call('ZREM', lanes, lane) end
  return next
end

local ATTEMPTS_KEPT = 40

-- Notes what became of an event: a line with its time, state and kind, then a line for each attempt. The newest events stay.
local function note(log, records, waiting, state, kind, attempt, kept)
  local number, at = string.match(waiting, '^(%d+)-(%d+)-')
  local stored = redis.call('HGET', records, number)
  -- Another event had that number before Redis lost it.
  if stored and string.match(stored, '^%d+') ~= at then stored = nil end
  local known, attempts = string.match(stored or '', '^%d+ %S+ (%S*)(.*)$')
  attempts = attempts or ''
  if attempt ~= '' then
    attempts = attempts .. '\n' .. attempt
    local _, lines = string.gsub(attempts, '\n', '')
    if lines > ATTEMPTS_KEPT then attempts = string.gsub(attempts, '^\n[^\n]*', '', 1) end
  end
  redis.call('HSET', records, number, at .. ' ' .. state .. ' ' .. (kind ~= '' and kind or known or '') .. attempts)
  redis.call('ZADD', log, number, number)
  if redis.call('ZCARD', log) > tonumber(kept) then redis.call('HDEL', records, redis.call('ZPOPMIN', log)[1]) end
end

local function put_to_dead(dead, waiting, kept)
  local number, at = string.match(waiting, '^(%d+)-(%d+)-')
  redis.call('ZADD', dead, number, number .. '-' .. at)
  if redis.call('ZCARD', dead) > tonumber(kept) then redis.call('ZPOPMIN', dead) end
end
