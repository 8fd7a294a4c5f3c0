#!lua
-- Stores the link of somebody's calendar; the one that it replaces is dead in the same step.
--
-- KEYS  1 index of the owner (`calendar-of`)  2 calendar, by the digest of the new handle
-- ARGV  1 that digest  2 when the link that it replaces was created, '' where there is none  3 server  4 customer id
--       5 user id  6 actor  7 request id  8 clock offset (ms)
-- Answers stored; another_stands where the link that stands is not the one to be replaced.
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local standing = redis.call('GET', KEYS[1])
local earlier = standing and prefix .. 'calendar:' .. standing
local created = earlier and redis.call('HGET', earlier, 'created_at') or ''
if created ~= ARGV[2] then return 'another_stands' end

-- Counted on, so that a calendar that goes over to the new link never sees a lower SEQUENCE for the same UID.
local sequence = earlier and redis.call('HGET', earlier, 'sequence') or '-1'
if earlier then
  redis.call('DEL', earlier)
  audit(prefix, now, { 'action', 'calendar.revoked', 'actor', ARGV[6], 'server', ARGV[3], 'request', ARGV[7] })
end
redis.call('HSET', KEYS[2], 'v', 1, 'server', ARGV[3], 'customer', ARGV[4], 'user', ARGV[5], 'created_at',
  string.format('%.0f', now), 'sequence', sequence)
redis.call('SET', KEYS[1], ARGV[1])
audit(prefix, now, { 'action', 'calendar.created', 'actor', ARGV[6], 'server', ARGV[3], 'request', ARGV[7] })
return 'stored'
