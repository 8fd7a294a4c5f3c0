#!lua flags=allow-oom
-- with: announcements
-- Lets tokens flow again, as far as no other containment stops them. What is on its way to be revoked at iManage stays so.
-- Works when Redis is full.
--
-- KEYS  1 gate
-- ARGV  1 id  2 who lifts it, and why (JSON)  3… fields and values of the audit entry  last clock offset (ms)
-- Answers lifted | already | gone
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local key = prefix .. 'containment:' .. ARGV[1]
if redis.call('HEXISTS', key, 'record') == 0 then return 'gone' end
if redis.call('HSETNX', key, 'lifted', ARGV[2]) == 0 then return 'already' end

for _, selector in ipairs(redis.call('SMEMBERS', key .. ':selectors')) do
  local others = {}
  for id in string.gmatch(redis.call('HGET', prefix .. 'stops', selector) or '', '%S+') do
    if id ~= ARGV[1] then others[#others + 1] = id end
  end
  if #others == 0 then redis.call('HDEL', prefix .. 'stops', selector)
  else redis.call('HSET', prefix .. 'stops', selector, table.concat(others, ' ')) end
  tell_client(prefix, selector)
end
redis.call('DEL', key .. ':selectors')
local windows = redis.call('HGET', KEYS[1], 'windows')
if windows then
  local others = {}
  for _, window in ipairs(cjson.decode(windows)) do
    if window.id ~= ARGV[1] then others[#others + 1] = window end
  end
  if #others == 0 then redis.call('HDEL', KEYS[1], 'windows')
  else redis.call('HSET', KEYS[1], 'windows', cjson.encode(others)) end
end
-- Nothing of that in one that an earlier version began: then nobody was told.
local told = redis.call('HGET', key, 'told')
if told then emit(prefix, now, 'containment.lifted', cjson.decode(told)) end
audit(prefix, now, { unpack(ARGV, 3, #ARGV - 1) })
return 'lifted'
