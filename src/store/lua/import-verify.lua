#!lua flags=allow-oom
-- Stores what iManage said of whose an imported authorization is. Until it is the one that the file named, what the first refresh
-- brought is kept and handed to nobody.
--
-- KEYS  1 grant  2 consent index of whom iManage named
-- ARGV  1 grant id  2 consent generation  3 same | another | unknown  4 owner (JSON, as iManage says)  5 his consent digest
--       6 how long to wait before it is asked again (ms)  7 clock offset (ms)
-- Answers verified | another_user | already_authorized | waits | passed (nothing waits for this any more)
local now = now_ms()
local key, id = KEYS[1], ARGV[1]
local prefix = prefix_of(key)
local text = function(n) return string.format('%.0f', n) end
local g = redis.call('HMGET', key, 'imported', 'gen', 'server', 'state', 'consent', 'import_exp', 'import_due')
if g[1] ~= 'unverified' or g[2] ~= ARGV[2] then return 'passed' end

if ARGV[3] == 'unknown' then
  local due = text(now + tonumber(ARGV[6]))
  redis.call('HSET', key, 'retry_at', due, 'problem', 'imanage_unavailable', 'problem_at', text(now), 'due_at', due)
  redis.call('ZADD', prefix .. 'due:refresh', due, id)
  return 'waits'
end

local holder = redis.call('GET', KEYS[2])
if holder and (holder == id or redis.call('EXISTS', prefix .. 'grant:' .. holder) == 0) then holder = false end
if ARGV[3] == 'another' or holder then
  local why = ARGV[3] == 'another' and 'another_user' or 'already_authorized'
  redis.call('HSET', key, 'imported', why, 'problem', 'reauthorization_required', 'problem_at', text(now))
  redis.call('HDEL', key, 'due_at', 'retry_at')
  put_state(prefix, id, g[4], 'reauthorization_required')
  redis.call('ZREM', prefix .. 'due:refresh', id)
  redis.call('ZREM', prefix .. 'due:expiry', id)
  audit(prefix, now, { 'action', 'grant.quarantined', 'actor', 'worker', 'server', g[3], 'grant', id, 'why', why })
  emit_grant(prefix, now, 'grant.reauthorization_required', id, g[3], bindings_of(prefix, id), { 'code', 'reauthorization_required' })
  redis.call('PUBLISH', 'b1:refresh-outcome', id .. ' quarantined')
  return why
end

-- Named by e-mail, or in other letters: from now on he is found by what iManage calls him.
if g[5] ~= ARGV[5] then redis.call('DEL', prefix .. 'consent:' .. g[5]) end
redis.call('SET', KEYS[2], id)
redis.call('HSET', key, 'imported', 'verified', 'owner', ARGV[4], 'consent', ARGV[5])
redis.call('HDEL', key, 'retry_at', 'problem', 'problem_at')
if g[6] then
  redis.call('HSET', key, 'at_exp', g[6], 'due_at', g[7])
  redis.call('HDEL', key, 'import_exp', 'import_due')
  redis.call('ZADD', prefix .. 'due:refresh', g[7], id)
end
audit(prefix, now, { 'action', 'grant.verified', 'actor', 'worker', 'server', g[3], 'grant', id })
emit_grant(prefix, now, 'grant.authorized', id, g[3], bindings_of(prefix, id))
redis.call('PUBLISH', 'b1:refresh-outcome', id .. ' verified')
return 'verified'
