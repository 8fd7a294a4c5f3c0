#!lua
-- Another operator than the one who asked confirms an export.
--
-- KEYS  1 export      ARGV  1 server  2 thumbprint of the key  3 actor  4 request id  5 clock offset (ms)
-- Answers confirmed | same_operator | gone
local by = redis.call('HGET', KEYS[1], 'by')
if not by then return 'gone' end
if by == ARGV[3] then return 'same_operator' end
if redis.call('HSETNX', KEYS[1], 'confirmed_by', ARGV[3]) == 1 then
  audit(prefix_of(KEYS[1]), now_ms(), { 'action', 'export.confirmed', 'actor', ARGV[3], 'server', ARGV[1], 'key', ARGV[2], 'request',
    ARGV[4] })
end
return 'confirmed'
