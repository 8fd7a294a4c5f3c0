-- What a sync keeps: how long, and what it takes of Redis' memory.

-- Whoever has not read a change for a week begins with a snapshot.
local KEPT_MS = 7 * 86400000

local function page_of(entry) return tonumber(string.match(entry[1], '^%d+')) end

-- Drops changes that are old, and of those that are more than `most` `some` at a time. `floor` is the newest that went: whoever
-- has read to before it has lost some. What goes is not read: where the old ones end is found by halving, since the changes of a
-- page are written at one moment, and pages in their order. Answers how many went.
local function drop_changes(key, changes, now, most, some)
  local oldest = redis.call('XRANGE', changes, '-', '+', 'COUNT', 1)[1]
  local before = now - KEPT_MS
  local gone = 0
  if oldest and tonumber(oldest[2][2]) < before then
    local low, high = page_of(oldest), page_of(redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)[1]) + 1
    while low < high do
      local middle = math.floor((low + high) / 2)
      local entry = redis.call('XRANGE', changes, string.format('%.0f-0', middle), '+', 'COUNT', 1)[1]
      if not entry or tonumber(entry[2][2]) >= before then high = middle else low = page_of(entry) + 1 end
    end
    local first = string.format('%.0f-0', low)
    redis.call('HSET', key, 'floor', redis.call('XREVRANGE', changes, '(' .. first, '-', 'COUNT', 1)[1][1])
    gone = redis.call('XTRIM', changes, 'MINID', '=', first)
  end
  local over = math.min(redis.call('XLEN', changes) - most, some)
  if over > 0 then
    local left = redis.call('XLEN', changes) - over
    -- All but the last one that goes: then that one is the oldest, and says its id.
    redis.call('XTRIM', changes, 'MAXLEN', '=', left + 1)
    redis.call('HSET', key, 'floor', redis.call('XRANGE', changes, '-', '+', 'COUNT', 1)[1][1])
    redis.call('XTRIM', changes, 'MAXLEN', '=', left)
    gone = gone + over
  end
  return gone
end

-- Writes down what a sync takes, and what all of its organisation take together. Measured, as Redis estimates it from a few
-- entries, and not added up: so nothing can drift away from the truth.
local function measure_sync(prefix, id)
  local bytes = 0
  for _, what in ipairs({ 'sync-objects:', 'sync-changes:' }) do
    bytes = bytes + (redis.call('MEMORY', 'USAGE', prefix .. what .. id, 'SAMPLES', 20) or 0)
  end
  local space = prefix .. 'sync-space'
  redis.call('HINCRBY', space, 'total', bytes - tonumber(redis.call('HGET', space, id) or '0'))
  redis.call('HSET', space, id, bytes)
end

local function forget_space(prefix, id)
  local bytes = redis.call('HGET', prefix .. 'sync-space', id)
  if not bytes then return end
  -- Subtracted and not negated: of nothing that would be -0, which Redis does not take for a number.
  redis.call('HINCRBY', prefix .. 'sync-space', 'total', 0 - tonumber(bytes))
  redis.call('HDEL', prefix .. 'sync-space', id)
end
