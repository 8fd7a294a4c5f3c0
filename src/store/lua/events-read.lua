#!lua flags=no-writes
-- with: audit
-- Reads events behind a position: a number, and the time of the event that has it. Where another event has that number by now, or
-- none, Redis lost the end of the log that the position was read from: what was written since then is of a later time.
--
-- KEYS  1 gate  2 events
-- ARGV  1 number to read behind, '' from the oldest  2 its time (ms)  3 limit  4 clock offset (ms)
-- Answers { number of the newest that is no longer kept, newest number, entries }; or { floor, newest, false }: what follows is gone
local newest = tonumber(redis.call('HGET', KEYS[1], 'events') or '0')
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local floor = oldest and sequence_of(oldest) - 1 or newest
if ARGV[1] == '' then return { floor, newest, redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[3]) } end

local behind, at = tonumber(ARGV[1]), tonumber(ARGV[2])
if behind > floor then
  local entry = redis.call('XRANGE', KEYS[2], ARGV[1] .. '-0', ARGV[1] .. '-0')[1]
  if not entry or at_of(entry) ~= at then
    behind = oldest and first_at(KEYS[2], floor + 1, newest, at + 1) - 1 or floor
  end
elseif behind < floor then
  return { floor, newest, false }
end
return { floor, newest, redis.call('XRANGE', KEYS[2], string.format('(%.0f-0', behind), '+', 'COUNT', ARGV[3]) }
