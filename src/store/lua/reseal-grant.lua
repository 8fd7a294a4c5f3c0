#!lua flags=allow-oom
-- Replaces sealed texts of a grant by the same secrets, sealed anew. Whatever a refresh has stored meanwhile stays. A consent
-- that was stored a moment ago is left alone: it is known by its very text where the reply to it was lost.
--
-- KEYS  1 grant
-- ARGV  1 how long a consent is left alone (ms)  2… text before, text after     last: clock offset (ms)
-- Answers how many were replaced, or -1 where it is too fresh
local g = redis.call('HMGET', KEYS[1], 'consented_at', 'rt', 'at', 'spares')
if not g[1] then return 0 end
if now_ms() - tonumber(g[1]) < tonumber(ARGV[1]) then return -1 end
local after, replaced = {}, 0
for i = 2, #ARGV - 2, 2 do after[ARGV[i]] = ARGV[i + 1] end
for i, field in ipairs({ 'rt', 'at' }) do
  if g[i + 1] and after[g[i + 1]] then
    redis.call('HSET', KEYS[1], field, after[g[i + 1]])
    replaced = replaced + 1
  end
end
local spares, changed = cjson.decode(g[4] or '[]'), false
for _, spare in ipairs(spares) do
  if after[spare.sealed] then
    spare.sealed = after[spare.sealed]
    replaced, changed = replaced + 1, true
  end
end
if changed then redis.call('HSET', KEYS[1], 'spares', cjson.encode(spares)) end
return replaced
