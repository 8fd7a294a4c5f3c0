#!lua
-- with: delivery
-- Puts events on their lanes once more, behind what waits there; all of them, or none where too many would wait.
--
-- KEYS  1 delivery  2 lanes  3 due  4 dead
-- ARGV  1 id  2 client, '' for no audit entry  3 actor  4 request id  5 address  6 how many may wait  7… of each event: lane, position
--       last: clock offset (ms)
-- Answers queued | gone | full
local now, key, id = now_ms(), KEYS[1], ARGV[1]
if redis.call('EXISTS', prefix_of(key) .. 'subscription:' .. id) == 0 then return 'gone' end
local waiting = tonumber(redis.call('HGET', key, 'waiting') or '0')
if waiting + (#ARGV - 7) / 2 > tonumber(ARGV[6]) then return 'full' end
for i = 7, #ARGV - 2, 2 do
  append(key, KEYS[2], id, ARGV[i], ARGV[i + 1], now)
  redis.call('ZREM', KEYS[4], ARGV[i + 1])
end
if ARGV[2] ~= '' then
  audit(prefix_of(key), now, { 'action', 'event.replayed', 'actor', ARGV[3], 'client', ARGV[2], 'subscription', id, 'request', ARGV[4],
    'address', ARGV[5] })
end
local d = redis.call('HMGET', key, 'off', 'held_until', 'lease')
if not d[1] and not d[3] then redis.call('ZADD', KEYS[3], string.format('%.0f', math.max(now, tonumber(d[2] or '0'))), id) end
return 'queued'
