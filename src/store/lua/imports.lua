-- For scripts that bring in authorizations which another system kept until now. A grant that came so says in `imported` how far it
-- is: held (nothing may be sent: the other system may still be using its token), unverified (opened; iManage has not said yet whose
-- it is), verified, or why it was put aside: another_user, already_authorized. Whoever consents himself ends all of that.

-- What a token of a file is here, before anything is written. imports: hash, fingerprint of every token that ever came in -> grant.
-- Answers a word, and the grant that it is about:
--   new | renews (held, with an earlier token of the same person and subject) | same imported-state | older (a newer one is held)
--   open imported-state (came in before and is in use here; the file has a token that came from elsewhere since)
--   ended | authorized | bound | person_of_another | gone
local function import_verdict(prefix, imports, fp, consent_key, digest)
  if redis.call('EXISTS', prefix .. 'shredded') == 1 then return 'gone', '', '' end
  local known = redis.call('HGET', imports, fp)
  if known then
    local g = redis.call('HMGET', prefix .. 'grant:' .. known, 'gen', 'imported', 'rt_fp')
    if not g[1] then return 'ended', known, '' end
    if not g[2] then return 'authorized', known, '' end
    if g[2] == 'held' and g[3] ~= fp then return 'older', known, g[2] end
    return 'same', known, g[2]
  end
  local holder = redis.call('GET', consent_key)
  local bound = redis.call('GET', prefix .. 'binding:' .. digest)
  if bound and redis.call('EXISTS', prefix .. 'grant:' .. bound) == 0 then bound = false end
  if holder then
    local imported = redis.call('HGET', prefix .. 'grant:' .. holder, 'imported')
    if not imported then return 'authorized', holder, '' end
    if redis.call('HEXISTS', prefix .. 'grant-bindings:' .. holder, digest) == 0 then return 'person_of_another', holder, imported end
    if imported ~= 'held' then return 'open', holder, imported end
    return 'renews', holder, imported
  end
  if bound then return 'bound', bound, redis.call('HGET', prefix .. 'grant:' .. bound, 'imported') or '' end
  return 'new', '', ''
end
