#!lua
-- with: containment
-- Reads an access token for the broker's own use. Where tokens of the grant are stopped it has none for us either.
--
-- KEYS  1 grant  2 gate      ARGV  1 min ttl (ms)  2 clock offset (ms)
-- Answers token at gen at_att | none | contained
local now = now_ms()
local g = redis.call('HMGET', KEYS[1], 'state', 'at', 'at_exp', 'gen', 'at_att', 'server', 'consent', 'consented_at')
if not g[1] then return { 'none' } end
local id = string.match(KEYS[1], '[^:]+$')
if stopped_by(prefix_of(KEYS[1]), redis.call('HGET', KEYS[2], 'windows'), { server = g[6], grant = id, gen = g[4], user = g[7],
  consented_at = g[8] }) then return { 'contained' } end
if (g[1] ~= 'active' and g[1] ~= 'suspect') or not g[2] or tonumber(g[3]) - now < tonumber(ARGV[1]) then return { 'none' } end
return { 'token', g[2], g[4], g[5] }
