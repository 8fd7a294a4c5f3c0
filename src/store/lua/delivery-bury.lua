#!lua flags=allow-oom
-- with: delivery
-- Makes dead letters of the events that were put on a lane before a moment.
--
-- KEYS  1 delivery  2 lanes  3 heads  4 log  5 records  6 dead
-- ARGV  1 id  2 owner  3 lease (ms)  4 before (ms)  5 how many at most  6 log entries kept  7 dead letters kept
--       8 clock offset (ms)
-- Answers how many
local now, key, id = now_ms(), KEYS[1], ARGV[1]
if not holds(key, ARGV[2], now, ARGV[3]) then return 0 end
local buried, limit, before = 0, tonumber(ARGV[5]), tonumber(ARGV[4])
for _, lane in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local due = redis.call('ZSCORE', KEYS[2], lane)
  local head = redis.call('LINDEX', lane_key(key, id, lane), 0)
  while head and buried < limit and tonumber(string.match(head, '%d+$')) < before do
    put_to_dead(KEYS[6], head, ARGV[7])
    note(KEYS[4], KEYS[5], head, 'dead', '', '', ARGV[6])
    head = take_off(key, KEYS[2], KEYS[3], id, lane, now)
    buried = buried + 1
    if head then redis.call('ZADD', KEYS[2], due, lane) end
  end
  if buried >= limit then break end
end
return buried
