#!lua
-- with: gate restore
-- The point of no return: noted before the first byte leaves.
--
-- KEYS  1 grant      ARGV  1 attempt  2 lease (ms)  3 clock offset (ms)
-- Answers 1, or 0 where the lease is another's by now, or the token another: then nothing may be sent.
local now = now_ms()
local g = redis.call('HMGET', KEYS[1], 'lease', 'intent_parent', 'rt_fp', 'server')
if g[1] ~= ARGV[1] then return 0 end
if g[2] ~= g[3] or restore_mode(prefix_of(KEYS[1])) then
  -- A late answer has replaced the token since begin. It is superseded; whoever asks next begins with the new one. Or the store
  -- was put back to an earlier state since then (F33).
  redis.call('HDEL', KEYS[1], 'lease', 'lease_until', 'intent', 'intent_parent', 'sent_at')
  gate_leave(prefix_of(KEYS[1]), g[4], ARGV[1])
  return 0
end
redis.call('HSET', KEYS[1], 'intent', 'sent', 'sent_at', string.format('%.0f', now), 'lease_until', string.format('%.0f', now + tonumber(ARGV[2])))
redis.call('HINCRBY', KEYS[1], 'calls', 1)
return 1
