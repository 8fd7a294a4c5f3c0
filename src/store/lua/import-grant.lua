#!lua
-- with: containment imports
-- Brings in one refresh token that another system kept, and holds it: nothing is sent with it before it is opened. Idempotent by the
-- token's fingerprint, so whoever was killed in the middle of a file begins with its first line again.
--
-- KEYS  1 grant  2 consent index  3 grants  4 imports  5 imported  6 binding
-- ARGV  1 grant id  2 what it was when it was looked at: new | renews  3 server  4 registration  5 owner (JSON, as the file says)
--       6 consent digest  7 sealed refresh token  8 its fingerprint  9 when it ends (ms since 1970)
--       10 binding digest  11 binding (JSON)  12 actor  13 request id  14 clock offset (ms)
-- Answers imported | renewed | contained | what it is by now, as import_verdict does: nothing is written then.
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local id = ARGV[1]
local text = function(n) return string.format('%.0f', n) end

local word, holder = import_verdict(prefix, KEYS[4], ARGV[8], KEYS[2], ARGV[10])
if word ~= ARGV[2] or (word == 'renews' and holder ~= id) then return word end
local binding = cjson.decode(ARGV[11])
if stopped_by(prefix, redis.call('HGET', prefix .. 'gate', 'windows'), { client = binding.client, server = ARGV[3],
  binding = ARGV[10], grant = id, user = ARGV[6] }) then return 'contained' end

redis.call('HSET', KEYS[1], 'rt', ARGV[7], 'rt_fp', ARGV[8], 'rt_att', 0, 'rt_exp', ARGV[9])
redis.call('HSET', KEYS[4], ARGV[8], id)
if word == 'new' then
  redis.call('HSET', KEYS[1], 'v', 1, 'created_at', text(now), 'att', 0, 'gen', 1, 'server', ARGV[3], 'registration', ARGV[4],
    'owner', ARGV[5], 'consent', ARGV[6], 'consented_at', text(now), 'received_at', text(now), 'imported', 'held')
  put_state(prefix, id, false, 'paused')
  redis.call('ZADD', KEYS[3], text(now), id)
  redis.call('ZADD', KEYS[5], text(now), id)
  redis.call('SET', KEYS[2], id)
  redis.call('SET', KEYS[6], id)
  binding.since = text(now)
  redis.call('HSET', prefix .. 'grant-bindings:' .. id, ARGV[10], cjson.encode(binding))
end
local seq = audit(prefix, now, { 'action', 'grant.imported', 'actor', ARGV[12], 'server', ARGV[3], 'grant', id, 'generation', '1',
  'request', ARGV[13] })
redis.call('HSET', KEYS[1], 'rt_seq', text(seq))
return word == 'new' and 'imported' or 'renewed'
