#!lua flags=no-writes
-- Finds what names one of some data keys, among a part of an organisation's keys. Whatever it is: a text that names one where
-- nothing is known to be sealed is told as `unknown`, so that no data key goes while something needs it.
--
-- KEYS  1 data keys of the organisation
-- ARGV  1 SCAN's cursor  2 how many of its own keys to look at, about; 0: none  3 ids of data keys, separated by blanks
--       4 clock offset (ms)
-- Answers { next cursor, which life of which Redis, places }; a place is
--   grant id server gen rt rt_att at at_att spares | registration id | subscription id | changes sync server | copy sync '' | fleeting key | unknown key
local prefix = prefix_of(KEYS[1])
local ids = {}
for id in string.gmatch(ARGV[3], '%S+') do ids[#ids + 1] = '.' .. id .. '.' end
local function names(text)
  if not text then return false end
  for _, id in ipairs(ids) do
    if string.find(text, id, 1, true) then return true end
  end
  return false
end
local function any(list)
  for _, it in ipairs(list) do
    if type(it) == 'table' and any(it) or type(it) == 'string' and names(it) then return true end
  end
  return false
end

-- Written by scripts alone, from ids, words, digests and times.
local bare = { ['audit'] = true, ['timeline'] = true, ['story'] = true, ['sync-objects'] = true, ['sync-space'] = true,
  ['grants'] = true, ['grants-in'] = true, ['grant-ends'] = true, ['unbound'] = true, ['ended'] = true, ['due'] = true,
  ['subscriptions'] = true, ['delivery'] = true, ['delivery-lane'] = true, ['delivery-lanes'] = true, ['delivery-heads'] = true,
  ['delivery-log'] = true, ['delivery-records'] = true, ['delivery-dead'] = true }
local SOME = 2000
local function values_of(key)
  local type = redis.call('TYPE', key).ok
  if type == 'string' then return { redis.call('GET', key) } end
  if type == 'hash' then return redis.call('HLEN', key) <= SOME and redis.call('HVALS', key) or redis.call('HRANDFIELD', key, SOME, 'WITHVALUES') end
  if type == 'stream' then return redis.call('XRANGE', key, '-', '+', 'COUNT', SOME) end
  if type == 'zset' then return redis.call('ZRANGE', key, 0, SOME) end
  if type == 'set' then return redis.call('SRANDMEMBER', key, SOME) end
  if type == 'list' then return redis.call('LRANGE', key, 0, SOME) end
  return {}
end

local places = {}
local function look(key)
  local rest = string.sub(key, #prefix + 1)
  local noun, id = string.match(rest, '^([%w-]+):?(.*)$')
  if bare[noun] or noun == 'revocations' or noun == 'data-keys' then return end
  if noun == 'grant' then
    local g = redis.call('HMGET', key, 'server', 'gen', 'rt', 'rt_att', 'at', 'at_att', 'spares')
    if names(g[3]) or names(g[5]) or names(g[7]) then
      places[#places + 1] = { 'grant', id, g[1], g[2], g[3] or '', g[4] or '0', g[5] or '', g[6] or '0', g[7] or '[]' }
    end
  elseif noun == 'sync-changes' then
    -- Looked through by pages, by whoever asks.
    places[#places + 1] = { 'changes', id, redis.call('HGET', prefix .. 'sync:' .. id, 'server') or '' }
  elseif noun == 'sync-changes-copy' then
    -- Of a sync that was deleted, or killed over it: whoever asks finishes it.
    places[#places + 1] = { 'copy', string.match(id, '^[^:]+'), '' }
  elseif any(values_of(key)) then
    if noun == 'registration' or noun == 'subscription' then
      places[#places + 1] = { noun, id }
    else
      places[#places + 1] = { redis.call('PTTL', key) >= 0 and 'fleeting' or 'unknown', rest }
    end
  end
end

local cursor, wanted, looked, rounds = ARGV[1], tonumber(ARGV[2]), 0, 0
while looked < wanted and rounds < 20 do
  local found = redis.call('SCAN', cursor, 'MATCH', prefix .. '*', 'COUNT', 250)
  cursor, rounds = found[1], rounds + 1
  for _, key in ipairs(found[2]) do
    look(key)
    looked = looked + 1
  end
  if cursor == '0' then break end
end
return { cursor, string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or '', places }
