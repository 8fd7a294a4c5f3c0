#!lua
-- Somebody comes with the link of a calendar. GCRA, as for tokens.
--
-- The hash: `server`, `customer`, `user`; `created_at`, `fetched_at`; `tat` (GCRA); `content`, a keyed digest of what was told
-- last, since when (`changed_at`), and how often that has changed (`sequence`).
--
-- KEYS  1 calendar      ARGV  1 emission interval (ms)  2 burst  3 clock offset (ms)
-- Answers nothing where there is none; else server customer user wait_ms sequence content changed_at
local now = now_ms()
local c = redis.call('HMGET', KEYS[1], 'server', 'customer', 'user', 'tat', 'sequence', 'content', 'changed_at')
if not c[1] then return {} end
local emission = tonumber(ARGV[1])
local tat = math.max(tonumber(c[4] or '0'), now)
local allow_at = tat - (tonumber(ARGV[2]) - 1) * emission
local wait = 0
if now < allow_at then
  wait = math.ceil(allow_at - now)
else
  redis.call('HSET', KEYS[1], 'tat', string.format('%.0f', tat + emission), 'fetched_at', string.format('%.0f', now))
end
return { c[1], c[2], c[3], wait, c[5] or '-1', c[6] or '', c[7] or '' }
