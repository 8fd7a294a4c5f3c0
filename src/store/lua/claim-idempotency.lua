#!lua
-- Claims an Idempotency-Key for one request.
--
-- KEYS  1 idempotency key (hash: request, answer)
-- ARGV  1 digest of the request  2 life (ms)  3 clock offset (ms)
-- Answers new | busy | conflict | answered answer
local known = redis.call('HMGET', KEYS[1], 'request', 'answer')
if not known[1] then
  redis.call('HSET', KEYS[1], 'request', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return { 'new' }
end
if known[1] ~= ARGV[1] then return { 'conflict' } end
if not known[2] then return { 'busy' } end
return { 'answered', known[2] }
