#!lua flags=allow-oom
-- Lets a journal that was put back go on behind the last entry that was exported, so that no number is given twice and the chain
-- stays one. What was written here since it was put back is numbered anew; nobody exported it meanwhile.
--
-- KEYS  1 gate  2 head  3 audit
-- ARGV  1 number of the last exported entry  2 its link  3 clock offset (ms)
-- Answers adopted | not_restoring
local restore = redis.call('HGET', KEYS[1], 'restore')
if not restore then return 'not_restoring' end
local mode = cjson.decode(restore)
if mode.adopted then return 'adopted' end
local whole = function(n) return string.format('%.0f', n) end
local from, outside = tonumber(mode.from), tonumber(ARGV[1])
if outside > from then
  local since = redis.call('XRANGE', KEYS[3], whole(from + 1) .. '-0', '+')
  for _, entry in ipairs(since) do redis.call('XDEL', KEYS[3], entry[1]) end
  if #since > 0 then redis.call('XSETID', KEYS[3], whole(from) .. '-0') end
  local number = outside
  for _, entry in ipairs(since) do
    number = number + 1
    redis.call('XADD', KEYS[3], whole(number) .. '-0', unpack(entry[2]))
    local told = {}
    for i = 1, #entry[2], 2 do told[entry[2][i]] = entry[2][i + 1] end
    local grant = told.grant and prefix_of(KEYS[1]) .. 'grant:' .. told.grant
    if grant and redis.call('HGET', grant, 'rt_seq') == string.match(entry[1], '^%d+') then
      redis.call('HSET', grant, 'rt_seq', whole(number))
    end
  end
  redis.call('HSET', KEYS[1], 'audit', whole(number), 'acked', whole(outside))
  redis.call('HSET', KEYS[2], 'sequence', whole(outside), 'hash', ARGV[2])
  redis.call('HDEL', KEYS[2], 'owner', 'until')
end
mode.adopted = true
redis.call('HSET', KEYS[1], 'restore', cjson.encode(mode))
return 'adopted'
