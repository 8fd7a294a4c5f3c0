#!lua flags=allow-oom
-- with: revocation
-- Notes grants that a containment concerns, each once, and where it is to be revoked ends their tokens: the grant stays with
-- its bindings, without a token, until its person authorises again; the tokens go to the revocation outbox. Works when Redis
-- is full.
--
-- KEYS  1 gate
-- ARGV  1 containment  2 revoke 0|1  3 grants (JSON list of {grant, gen, tally}); tally: `<what>:<which>`, counted once each
--       4 where the next page begins, or ''  5 this was the last page 0|1  6 actor  7 request id  8 clock offset (ms)
-- Answers marked; lifted: nothing was done; gone
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local id = ARGV[1]
local key = prefix .. 'containment:' .. id
if redis.call('HEXISTS', key, 'record') == 0 then return 'gone' end
if redis.call('HEXISTS', key, 'lifted') == 1 then
  redis.call('HSET', key, 'counted', '1')
  redis.call('SREM', prefix .. 'containments:open', id)
  return 'lifted'
end

for _, one in ipairs(cjson.decode(ARGV[3])) do
  if redis.call('SADD', key .. ':tally', one.grant) == 1 then
    redis.call('XADD', key .. ':grants', '*', 'grant', one.grant, 'gen', one.gen)
    redis.call('HINCRBY', key, 'grants', 1)
  end
  for _, what in ipairs(one.tally) do
    if redis.call('SADD', key .. ':tally', what) == 1 then
      redis.call('HINCRBY', key, string.match(what, '^%l+'), 1)
    end
  end
  if ARGV[2] == '1' then revoke_grant(prefix, now, one.grant, string.format('%.0f', one.gen), id, ARGV[6], ARGV[7]) end
end
if ARGV[4] ~= '' then redis.call('HSET', key, 'cursor', ARGV[4]) end
if ARGV[5] == '1' then
  redis.call('HSET', key, 'counted', '1')
  redis.call('SREM', prefix .. 'containments:open', id)
  finish_containment(prefix, now, id)
end
return 'marked'
