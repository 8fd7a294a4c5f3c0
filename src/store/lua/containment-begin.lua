#!lua flags=allow-oom
-- with: announcements
-- Stops tokens: from the moment this returns no replica hands one out. Works when Redis is full. Idempotent by id; more
-- selectors of a long list follow by the same script.
--
-- KEYS  1 gate
-- ARGV  1 id  2 containment (JSON)  3 selectors (JSON list)  4 window of consents (JSON) or ''
--       5 whom it touches, for its event (JSON: `fields`, a flat list; `user`, digest of an iManage user)
--       6… fields and values of the audit entry  last clock offset (ms)
-- Answers begun | lifted
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local key = prefix .. 'containment:' .. ARGV[1]
if redis.call('HEXISTS', key, 'lifted') == 1 then return 'lifted' end

for _, selector in ipairs(cjson.decode(ARGV[3])) do
  if redis.call('SADD', key .. ':selectors', selector) == 1 then
    local ids = redis.call('HGET', prefix .. 'stops', selector)
    redis.call('HSET', prefix .. 'stops', selector, ids and ids .. ' ' .. ARGV[1] or ARGV[1])
    tell_client(prefix, selector)
  end
end
if redis.call('HSETNX', key, 'record', ARGV[2]) == 0 then return 'begun' end
if ARGV[4] ~= '' then
  local windows = cjson.decode(redis.call('HGET', KEYS[1], 'windows') or '[]')
  windows[#windows + 1] = cjson.decode(ARGV[4])
  redis.call('HSET', KEYS[1], 'windows', cjson.encode(windows))
end
redis.call('ZADD', prefix .. 'containments', string.format('%.0f', now), ARGV[1])
redis.call('SADD', prefix .. 'containments:open', ARGV[1])
local touches = cjson.decode(ARGV[5])
local fields = touches.fields
local grant = touches.grant or (touches.user and redis.call('GET', prefix .. 'consent:' .. touches.user))
if grant then
  fields[#fields + 1] = 'bindings'
  fields[#fields + 1] = '[' .. table.concat(bindings_of(prefix, grant), ',') .. ']'
end
-- Who is told that it begins is told that it is lifted, whoever uses the authorization by then.
redis.call('HSET', key, 'told', cjson.encode(fields))
emit(prefix, now, 'containment.begun', fields)
audit(prefix, now, { unpack(ARGV, 6, #ARGV - 1) })
return 'begun'
