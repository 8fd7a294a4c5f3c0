#!lua flags=allow-oom
-- Brings into the revocation outbox what had to wait until nothing that was handed out lives any more. Of a person who has
-- consented again meanwhile nothing is revoked: what iManage ends with an old token is not known, and it might be the new grant.
--
-- KEYS  1 what waits  2 revocations      ARGV  1 how many at most  2 clock offset (ms)
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local ripe = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))
for _, member in ipairs(ripe) do
  local of = cjson.decode(member)
  if not (of.consent and redis.call('EXISTS', prefix .. 'consent:' .. of.consent) == 1) then
    to_revocations(prefix, now, of.grant, of.server, of.registration, of.gen, { { of.kind, of.sealed, of.att } })
  end
  redis.call('ZREM', KEYS[1], member)
end
return #ripe
