#!lua flags=allow-oom
-- Counts a proof that did not fit, by GCRA, and says how long to look at no other (T35).
--
-- KEYS  1 of this client id from this address  2 of the address
-- ARGV  1 clock offset (ms)
-- Answers over|within and milliseconds: whether this one was too many, and until when no other is to be looked at (0: now).
-- Ten at once and then one in six seconds, for one id: people mistype, and 256 bits are not guessed by thousands.
-- The address is counted so that inventing ids fills no memory; it stops nobody whose proof fits.
local EMISSION_MS, BURST = 6000, 10
local ADDRESS_EMISSION_MS, ADDRESS_BURST = 100, 1000

local now = now_ms()

local function count(key, emission, burst)
  local tat = math.max(tonumber(redis.call('GET', key) or '0'), now)
  local allow_at = tat - (burst - 1) * emission
  if now < allow_at then return { 'over', math.ceil(allow_at - now) } end
  redis.call('SET', key, string.format('%.0f', tat + emission), 'PX', math.ceil(tat + emission - now))
  return { 'within', math.max(0, math.ceil(allow_at + emission - now)) }
end

if redis.call('EXISTS', KEYS[1]) == 0 then
  local from = count(KEYS[2], ADDRESS_EMISSION_MS, ADDRESS_BURST)
  if from[1] == 'over' then return from end
end
return count(KEYS[1], EMISSION_MS, BURST)
