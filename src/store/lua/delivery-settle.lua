#!lua flags=allow-oom
-- with: delivery
-- Notes an attempt, what becomes of the event, and how its receiver does. Changes nothing where the event is not the head of its lane
-- any more: then somebody else has settled it.
--
-- KEYS  1 delivery  2 lanes  3 heads  4 log  5 records  6 dead
-- ARGV  1 id  2 owner  3 lease (ms)  4 lane  5 waiting event  6 done | again | dead | withheld  7 wait (ms)  8 tries
--       9 refused 0|1: waits by its own schedule, whoever wakes the others  10 kind
--       11 attempt: `<status or 0> <took ms> <reason>`, '' where nothing was sent  12 failures  13 down since (ms) or ''
--       14 probe at (ms) or ''  15 paused until (ms) or ''  16 wake 0|1  17 log entries kept  18 dead letters kept
--       19 clock offset (ms)
-- Answers { lost } | { settled, the lane's next event or '' }
local now, key, id, lane = now_ms(), KEYS[1], ARGV[1], ARGV[4]
local text = function(n) return string.format('%.0f', n) end
if not holds(key, ARGV[2], now, ARGV[3]) then return { 'lost' } end
if redis.call('LINDEX', lane_key(key, id, lane), 0) ~= ARGV[5] then return { 'lost' } end

local next = ''
if ARGV[6] == 'again' then
  redis.call('ZADD', KEYS[2], text(now + tonumber(ARGV[7])), lane)
  redis.call('HSET', KEYS[3], lane, ARGV[8] .. (ARGV[9] == '1' and ' refused' or ''))
else
  next = take_off(key, KEYS[2], KEYS[3], id, lane, now) or ''
  if ARGV[6] == 'dead' then put_to_dead(KEYS[6], ARGV[5], ARGV[18]) end
  if ARGV[6] == 'done' then
    redis.call('HINCRBY', key, 'delivered', 1)
    redis.call('HSET', key, 'taken_at', text(now))
  end
end
local state = ({ done = 'delivered', again = 'waiting' })[ARGV[6]] or ARGV[6]
note(KEYS[4], KEYS[5], ARGV[5], state, ARGV[10], ARGV[11] ~= '' and text(now) .. ' ' .. ARGV[11] or '', ARGV[17])
if ARGV[11] ~= '' and ARGV[6] ~= 'done' then redis.call('HSET', key, 'failed_at', text(now), 'failed', ARGV[11]) end

redis.call('HSET', key, 'failures', ARGV[12])
for i, field in ipairs({ 'down_since', 'probe_at', 'paused_until' }) do
  if ARGV[12 + i] == '' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, ARGV[12 + i]) end
end
if ARGV[16] == '1' then
  for _, one in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. text(now), '+inf')) do
    if not string.find(redis.call('HGET', KEYS[3], one) or '', 'refused', 1, true) then redis.call('ZADD', KEYS[2], text(now), one) end
  end
end
return { 'settled', next }
