#!lua flags=allow-oom
-- Puts grants where they are counted by state and by when they end (`put_state`, `forecast`): of an organisation whose grants were
-- written by an earlier version, or came out of its backup. From the newest backwards: what is deleted meanwhile moves none
-- that was not looked at yet. Once done it stays done.
--
-- KEYS  1 gate  2 grants      ARGV  1 how many at most  2 clock offset (ms)
-- Answers how many are left to be looked at.
local prefix = prefix_of(KEYS[1])
local left = redis.call('HGET', KEYS[1], 'indexed')
if left == '0' then return 0 end
left = math.min(tonumber(left or 'inf'), redis.call('ZCARD', KEYS[2]))
local from = math.max(0, left - tonumber(ARGV[1]))
if left > 0 then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[2], from, left - 1)) do
    local state = redis.call('HGET', prefix .. 'grant:' .. id, 'state')
    if state then put_state(prefix, id, nil, state) end
  end
end
redis.call('HSET', KEYS[1], 'indexed', from)
return from
