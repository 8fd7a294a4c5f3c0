#!lua flags=allow-oom
-- with: revocation
-- Takes one token off the revocation outbox, or notes that iManage refused it. Of a containment the receipt is kept with it.
-- Whoever comes second finds nothing left to do. Works when Redis is full.
--
-- KEYS  1 revocations
-- ARGV  1 entry  2 revoked | already_dead | given_up | refused  3 why, or ''  4 after so many refusals
--       5 and so long (ms) it is given up  6 clock offset (ms)
-- Answers settled | waits | gone
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not found then return 'gone' end
local of = {}
for i = 1, #found[2], 2 do of[found[2][i]] = found[2][i + 1] end
local outcome, why = ARGV[2], ARGV[3]
if not of.containment then
  if outcome == 'refused' then return 'waits' end
  redis.call('XDEL', KEYS[1], ARGV[1])
  return 'settled'
end

local key = prefix .. 'containment:' .. of.containment
local tries = redis.call('HINCRBY', key .. ':tries', ARGV[1], 1)
if outcome == 'refused' then
  redis.call('HSET', key .. ':why', ARGV[1], why)
  if tries < tonumber(ARGV[4]) or now - tonumber(of.at) < tonumber(ARGV[5]) then return 'waits' end
  outcome = 'given_up'
end
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('HDEL', key .. ':tries', ARGV[1])
redis.call('HDEL', key .. ':why', ARGV[1])
redis.call('HINCRBY', key, outcome, 1)
redis.call('XADD', key .. ':receipts', '*', 'at', string.format('%.0f', now), 'grant', of.grant, 'server', of.server, 'kind',
  of.kind, 'outcome', outcome, 'why', why, 'attempts', tries, 'since', of.at)
finish_containment(prefix, now, of.containment)
return 'settled'
