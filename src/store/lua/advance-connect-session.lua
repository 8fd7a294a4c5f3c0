#!lua flags=allow-oom
-- Moves a connect session on, only from one of the named states. Its life goes on unchanged.
--
-- KEYS  1 connect session
-- ARGV  1 change (JSON)  2 number of states  3… states  last: clock offset (ms)
-- Answers {moved 0|1, session (JSON) or ''}
local stored = redis.call('GET', KEYS[1])
if not stored then return { 0, '' } end
local session = cjson.decode(stored)
for i = 1, tonumber(ARGV[2]) do
  if session.state == ARGV[2 + i] then
    for field, value in pairs(cjson.decode(ARGV[1])) do session[field] = value end
    local changed = cjson.encode(session)
    redis.call('SET', KEYS[1], changed, 'KEEPTTL')
    return { 1, changed }
  end
end
return { 0, stored }
