#!lua flags=allow-oom
-- with: records
-- Stores a subscription, or takes it away with everything that waits for it. A new one is told what happens from now on.
--
-- KEYS  1 subscription  2 subscriptions  3 delivery  4 due
-- ARGV  1 what was read, '' for a new one  2 record, '' for none any more  3 id  4 client  5 enabled 0|1
--       6 how many the client may have  7… fields and values of the audit entry  last clock offset (ms)
-- Answers stored; conflict where another is stored by now, the client has made as many as it may meanwhile, or the organisation is
-- no more.
local stored = redis.call('GET', KEYS[1]) or ''
if stored == ARGV[2] then return 'stored' end
if stored ~= ARGV[1] then return 'conflict' end
local now, prefix, id = now_ms(), prefix_of(KEYS[1]), ARGV[3]
if redis.call('EXISTS', prefix .. 'shredded') == 1 then return 'conflict' end
if ARGV[2] == '' then
  for _, lane in ipairs(redis.call('ZRANGE', prefix .. 'delivery-lanes:' .. id, 0, -1)) do
    redis.call('UNLINK', prefix .. 'delivery-lane:' .. id .. ':' .. lane)
  end
  redis.call('UNLINK', KEYS[1], KEYS[3])
  for _, noun in ipairs({ 'lanes', 'heads', 'log', 'records', 'dead' }) do
    redis.call('UNLINK', prefix .. 'delivery-' .. noun .. ':' .. id)
  end
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[4], id)
else
  if stored == '' then
    local own = 0
    for _, client in ipairs(redis.call('HVALS', KEYS[2])) do
      if client == ARGV[4] then own = own + 1 end
    end
    if own >= tonumber(ARGV[6]) then return 'conflict' end
  end
  redis.call('SET', KEYS[1], ARGV[2])
  redis.call('HSET', KEYS[2], id, ARGV[4])
  if stored == '' then
    local newest = redis.call('XREVRANGE', prefix .. 'events', '+', '-', 'COUNT', 1)[1]
    local number, at = redis.call('HGET', prefix .. 'gate', 'events') or '0', '0'
    if newest then
      for i = 1, #newest[2], 2 do if newest[2][i] == 'at' then at = newest[2][i + 1] end end
    end
    redis.call('HSET', KEYS[3], 'cursor', number .. '-' .. at)
  end
  if ARGV[5] == '1' then
    redis.call('HDEL', KEYS[3], 'off', 'held_until')
    redis.call('ZADD', KEYS[4], string.format('%.0f', now), id)
  else
    redis.call('HSET', KEYS[3], 'off', '1')
    redis.call('ZREM', KEYS[4], id)
  end
end
audit_change(KEYS[1], 7)
return 'stored'
