#!lua
-- Notes what a calendar is told now, and counts where that is not what it was told last.
--
-- KEYS  1 calendar      ARGV  1 keyed digest of the content  2 clock offset (ms)
-- Answers sequence changed_at; nothing where the link is gone: it must not come back as half a record.
local c = redis.call('HMGET', KEYS[1], 'server', 'content', 'sequence', 'changed_at')
if not c[1] then return {} end
if c[2] == ARGV[1] then return { c[3], c[4] } end
local at = string.format('%.0f', now_ms())
redis.call('HSET', KEYS[1], 'content', ARGV[1], 'changed_at', at)
return { tostring(redis.call('HINCRBY', KEYS[1], 'sequence', 1)), at }
