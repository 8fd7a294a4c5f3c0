#!lua
-- Opens imported authorizations: from now on they are this broker's, and are refreshed. Only where the token that is held is the one
-- that the newest file has: any other was spent by the other system since, and a strict server ends all of a person's for it.
--
-- KEYS  1 due
-- ARGV  1 actor  2 request id  3 over how long the first refreshes are spread (ms)  then grant and fingerprint of each
--       last: clock offset (ms)
-- Answers a flat list, a word for each: opened | same (opened before) | another_token | gone
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local said = {}
local many = (#ARGV - 4) / 2
for i = 4, #ARGV - 1, 2 do
  local id = ARGV[i]
  local key = prefix .. 'grant:' .. id
  local g = redis.call('HMGET', key, 'imported', 'rt_fp', 'server', 'state', 'rt_exp')
  local word = 'opened'
  if not g[1] then
    word = 'gone'
  elseif g[1] ~= 'held' then
    word = 'same'
  elseif g[2] ~= ARGV[i + 1] then
    word = 'another_token'
  else
    redis.call('HSET', key, 'imported', 'unverified')
    put_state(prefix, id, g[4], 'active')
    local due = string.format('%.0f', now + math.floor(tonumber(ARGV[3]) * ((i - 4) / 2) / many))
    redis.call('HSET', key, 'due_at', due)
    redis.call('ZADD', KEYS[1], due, id)
    forecast(prefix, now, id, tonumber(g[5]))
    audit(prefix, now, { 'action', 'grant.import_opened', 'actor', ARGV[1], 'server', g[3], 'grant', id, 'request', ARGV[2] })
    redis.call('PUBLISH', 'b1:refresh-outcome', id .. ' opened')
  end
  said[#said + 1] = word
end
return said
