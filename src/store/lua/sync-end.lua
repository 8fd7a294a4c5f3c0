#!lua flags=allow-oom
-- Ends a run before its pass is complete: why, and when to look again. Works when Redis is full. Changes nothing once
-- another run has stored a page.
--
-- KEYS  1 sync  2 due
-- ARGV  1 sync id  2 number of the page that was due  3 due again after (ms)  4 problem code or ''  5 park 0|1
--       6 cursor (JSON) to go on from or '': from where the run stood  7 newest scan  8 clock offset (ms)
-- Answers ended | overtaken | paused | gone
local FAILURES_TO_TELL = 5

local now = now_ms()
local text = function(n) return string.format('%.0f', n) end
local s = redis.call('HMGET', KEYS[1], 'state', 'seq', 'because', 'error')
if not s[1] then return 'gone' end
if s[2] ~= ARGV[2] then return 'overtaken' end
redis.call('HDEL', KEYS[1], 'running')
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 'error', ARGV[4], 'error_at', text(now))
  -- Whoever had to act has acted: what fails from here on is another row of failures.
  if ARGV[5] ~= '1' and s[1] == 'parked' and s[3] == s[4] then redis.call('HDEL', KEYS[1], 'failures') end
  -- To wait for one's turn is no failure.
  local failures = ARGV[4] ~= 'imanage_rate_limited' and redis.call('HINCRBY', KEYS[1], 'failures', 1)
  -- Once in a row of failures: it goes on trying, and tells nothing new.
  if ARGV[5] ~= '1' and failures == FAILURES_TO_TELL then
    emit_sync(prefix_of(KEYS[1]), now, 'sync.failed', ARGV[1], { 'code', ARGV[4], 'failures', failures })
  end
end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'cursor', ARGV[6], 'scans', ARGV[7]) end
if s[1] == 'paused' then return 'paused' end
if ARGV[5] == '1' then
  park_sync(KEYS[1], ARGV[1], ARGV[4])
  if s[1] ~= 'parked' or s[3] ~= ARGV[4] then
    emit_sync(prefix_of(KEYS[1]), now, 'sync.parked', ARGV[1], { 'code', ARGV[4] })
  end
end
local due = text(now + tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'due_at', due)
redis.call('ZADD', KEYS[2], due, ARGV[1])
return 'ended'
