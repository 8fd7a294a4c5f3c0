#!lua flags=no-writes,allow-oom
-- Counts what an organisation has: out of counts and indexes that are kept anyway, never by looking at every grant. What has no
-- index, syncs and receivers, is looked at one by one, as many as ARGV allow.
--
-- KEYS  1 gate
-- ARGV  1 syncs at most  2 receivers at most  3 servers at most  4 clock offset (ms)
-- Answers a flat list of names and numbers, then `servers` and a list of id, gate, milliseconds since.
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local DAY = 86400000
local answer = {}
local function tell(name, value) answer[#answer + 1], answer[#answer + 2] = name, string.format('%.0f', value) end
local function age(at) return at and math.max(0, now - tonumber(at)) or 0 end
-- Of a stream's first entry behind a number, how long it is there.
local function age_of_first(key, from)
  local first = redis.call('XRANGE', key, from, '+', 'COUNT', 1)[1]
  if not first then return 0 end
  for i = 1, #first[2], 2 do
    if first[2][i] == 'at' then return age(first[2][i + 1]) end
  end
  return 0
end

local others = 0
for _, state in ipairs({ 'suspect', 'reauthorization_required', 'paused', 'revoked' }) do
  local count = redis.call('SCARD', prefix .. 'grants-in:' .. state)
  others = others + count
  tell('grants.' .. state, count)
end
tell('grants.active', math.max(0, redis.call('ZCARD', prefix .. 'grants') - others))
for within, ms in pairs({ ['1d'] = DAY, ['7d'] = 7 * DAY, ['30d'] = 30 * DAY }) do
  tell('ending.' .. within, redis.call('ZCOUNT', prefix .. 'grant-ends', now, now + ms))
end
for within, ms in pairs({ now = 0, ['1h'] = 3600000, ['1d'] = DAY }) do
  tell('due.' .. within, redis.call('ZCOUNT', prefix .. 'due:refresh', '-inf', now + ms))
end
tell('overdueMs', age(redis.call('ZRANGE', prefix .. 'due:refresh', 0, 0, 'WITHSCORES')[2]))

local gate = redis.call('HMGET', KEYS[1], 'audit', 'acked', 'events')
local audited, newest = tonumber(gate[1] or '0'), tonumber(gate[3] or '0')
tell('auditBacklog', gate[2] and audited - tonumber(gate[2]) or redis.call('XLEN', prefix .. 'audit'))
tell('auditOldestMs', age_of_first(prefix .. 'audit', gate[2] and (tonumber(gate[2]) + 1) .. '-0' or '-'))
tell('revocations', redis.call('XLEN', prefix .. 'revocations'))
tell('revocationOldestMs', age_of_first(prefix .. 'revocations', '-'))

local receivers = { answering = 0, down = 0, off = 0 }
local waiting, dead, unread, down_ms, behind = 0, 0, 0, 0, newest
for i, id in ipairs(redis.call('HKEYS', prefix .. 'subscriptions')) do
  if i > tonumber(ARGV[2]) then break end
  local d = redis.call('HMGET', prefix .. 'delivery:' .. id, 'waiting', 'cursor', 'probe_at', 'off', 'down_since')
  local cursor = tonumber(string.match(d[2] or '', '^%d+') or newest)
  local state = d[4] and 'off' or d[3] and 'down' or 'answering'
  receivers[state] = receivers[state] + 1
  waiting = waiting + tonumber(d[1] or '0')
  dead = dead + redis.call('ZCARD', prefix .. 'delivery-dead:' .. id)
  if state == 'answering' then behind = math.min(behind, cursor) end
  if state == 'down' then down_ms = math.max(down_ms, age(d[5])) end
end
for state, count in pairs(receivers) do tell('receivers.' .. state, count) end
tell('eventsWaiting', waiting)
tell('deadLetters', dead)
tell('eventsUnread', newest - behind)
tell('eventsOldestMs', newest > behind and age_of_first(prefix .. 'events', (behind + 1) .. '-0') or 0)
tell('receiverDownMs', down_ms)

local syncs, lag, late = { active = 0, paused = 0, parked = 0 }, 0, 0
for i, id in ipairs(redis.call('HVALS', prefix .. 'syncs')) do
  if i > tonumber(ARGV[1]) then break end
  local s = redis.call('HMGET', prefix .. 'sync:' .. id, 'state', 'complete_at', 'created_at', 'interval')
  if s[1] and syncs[s[1]] then
    syncs[s[1]] = syncs[s[1]] + 1
    if s[1] == 'active' then
      local since = age(s[2] or s[3])
      lag = math.max(lag, since)
      if since > 3 * tonumber(s[4] or '0') + 60000 then late = late + 1 end
    end
  end
end
for state, count in pairs(syncs) do tell('syncs.' .. state, count) end
tell('syncLagMs', lag)
tell('syncsBehind', late)

local servers = {}
for i, id in ipairs(redis.call('HVALS', prefix .. 'servers')) do
  if i > tonumber(ARGV[3]) then break end
  local g = redis.call('HMGET', prefix .. 'server-gate:' .. id, 'open', 'opened_at', 'pause_until')
  local paused = g[3] and tonumber(g[3]) > now
  servers[#servers + 1] = { id, g[1] or (paused and 'throttled' or 'passing'), string.format('%.0f', g[1] and age(g[2]) or 0) }
end
answer[#answer + 1] = servers
return answer
