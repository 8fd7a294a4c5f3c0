#!lua flags=allow-oom
-- Stores a failed refresh and ends its lease. Bad news of the past is not believed: neither after another attempt took
-- over, nor after a late one brought good news while this one was under way. Works when Redis is full. Idempotent by
-- attempt.
--
-- KEYS  1 grant  2 due
-- ARGV  1 grant id  2 attempt  3 state: unchanged|suspect|reauthorization_required  4 cool-down (ms)  5 problem
--       6 outcome unknown 0|1  7 clock offset (ms)
-- Answers 1, or 0 where it was not believed: then read again.
local now = now_ms()
local key = KEYS[1]
local text = function(n) return string.format('%.0f', n) end
local g = redis.call('HMGET', key, 'lease', 'refused_at', 'intent_parent', 'rt_fp', 'sent_at', 'refreshed_at')
if g[1] ~= ARGV[2] then return 0 end

-- What failed was another token than the primary one is now, or the same one was refreshed since this request left.
if g[3] ~= g[4] or (g[5] and tonumber(g[6] or '0') >= tonumber(g[5])) then
  redis.call('HDEL', key, 'lease', 'lease_until')
  -- What became of a request without an answer is not known any better for it: the next one waits it out.
  if ARGV[6] == '0' then redis.call('HDEL', key, 'intent', 'intent_parent', 'sent_at') end
  redis.call('PUBLISH', 'b1:refresh-outcome', ARGV[1] .. ' overtaken')
  return 0
end

local cool = tonumber(ARGV[4])
redis.call('HSET', key, 'retry_at', text(now + cool), 'problem', ARGV[5], 'problem_at', text(now))
if ARGV[3] ~= 'unchanged' then
  redis.call('HINCRBY', key, 'refusals', 1)
  if not g[2] then redis.call('HSET', key, 'refused_at', text(now)) end
  redis.call('HSET', key, 'state', ARGV[3])
end
redis.call('HDEL', key, 'lease', 'lease_until')
if ARGV[6] == '0' then redis.call('HDEL', key, 'intent', 'intent_parent', 'sent_at') end
if ARGV[3] == 'reauthorization_required' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', key, 'due_at')
else
  local due = now + math.max(cool, 5000)
  redis.call('HSET', key, 'due_at', text(due))
  redis.call('ZADD', KEYS[2], text(due), ARGV[1])
end
redis.call('PUBLISH', 'b1:refresh-outcome', ARGV[1] .. ' failed')
return 1
