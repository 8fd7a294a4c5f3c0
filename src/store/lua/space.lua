-- What a sync keeps: how long, and what it takes of Redis' memory.

-- Whoever has not read a change for a week begins with a snapshot.
local KEPT_MS = 7 * 86400000

-- Drops changes that are old, or that are more than `most`: `some` at a time. `floor` is the newest that went: whoever has
-- read to before it has lost some. Answers how many went.
local function drop_changes(key, changes, now, most, some)
  local over = redis.call('XLEN', changes) - most
  local oldest = redis.call('XRANGE', changes, '-', '+', 'COUNT', 1)[1]
  local before = now - KEPT_MS
  if not oldest or over <= 0 and tonumber(oldest[2][2]) >= before then return 0 end
  local gone, last = 0, nil
  for i, entry in ipairs(redis.call('XRANGE', changes, '-', '+', 'COUNT', some)) do
    if i > over and tonumber(entry[2][2]) >= before then break end
    gone, last = i, entry[1]
  end
  redis.call('HSET', key, 'floor', last)
  redis.call('XTRIM', changes, 'MAXLEN', '=', redis.call('XLEN', changes) - gone)
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
