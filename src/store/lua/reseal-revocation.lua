#!lua flags=allow-oom
-- Replaces the sealed text of a token that waits to be revoked. In the outbox it takes a new place at the end: a stream's entries
-- do not change. Whoever is revoking the old one does so a second time, which harms nothing.
--
-- KEYS  1 revocations, or those that come later
-- ARGV  1 entry (later: the member)  2 text before  3 text after  4 how long a new entry is left alone (ms)  5 clock offset (ms)
-- Answers 1; 0 where it has left, or has just come: a commit whose reply was lost is known by its very text
if redis.call('TYPE', KEYS[1]).ok == 'zset' then
  local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
  local of = score and cjson.decode(ARGV[1])
  if not of or of.sealed ~= ARGV[2] then return 0 end
  of.sealed = ARGV[3]
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZADD', KEYS[1], score, cjson.encode(of))
  return 1
end
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return 0 end
local fields, found, containment = entry[2], false, nil
for i = 2, #fields, 2 do
  if fields[i - 1] == 'containment' then containment = fields[i] end
  if fields[i - 1] == 'at' and now_ms() - tonumber(fields[i]) < tonumber(ARGV[4]) then return 0 end
  if fields[i - 1] == 'sealed' and fields[i] == ARGV[2] then
    fields[i] = ARGV[3]
    found = true
  end
end
if not found then return 0 end
redis.call('XDEL', KEYS[1], ARGV[1])
local moved = redis.call('XADD', KEYS[1], '*', unpack(fields))
-- What a containment noted of its tries goes along: nobody would ever settle it under the earlier name.
for _, noted in ipairs(containment and { ':tries', ':why' } or {}) do
  local key = prefix_of(KEYS[1]) .. 'containment:' .. containment .. noted
  local was = redis.call('HGET', key, ARGV[1])
  if was then
    redis.call('HDEL', key, ARGV[1])
    redis.call('HSET', key, moved, was)
  end
end
return 1
