#!lua
-- Lends libraries of one server the authorisation of a grant, all in one step. What another admin lent stays his, unless the
-- one who lends it now was told whose place he takes (T11). The grant before serves until this very moment, and what was
-- handed out of it lives nearly to its end.
--
-- KEYS  1 grant  2 libraries of the server
-- ARGV  1 grant id  2 server  3 libraries (JSON list of [library, digest, whose place it takes or ''])
--       4 actor  5 request id  6 clock offset (ms)
-- Answers a list, one for each: lent | lent_by_another. Or gone where there is no such grant any more.
local now = now_ms()
local prefix = prefix_of(KEYS[1])
local id = ARGV[1]
local text = function(n) return string.format('%.0f', n) end

local owner = redis.call('HGET', KEYS[1], 'owner')
if not owner then return 'gone' end
owner = cjson.decode(owner)
local name_of = function(user) return string.lower(user.customerId .. '/' .. user.userId) end

local answers, fresh = {}, {}
for i, wanted in ipairs(cjson.decode(ARGV[3])) do
  local library, digest, replaces = wanted[1], wanted[2], wanted[3]
  local stored = redis.call('HGET', KEYS[2], library)
  local lent = stored and cjson.decode(stored)
  local another = lent and name_of(lent.lent_by) ~= name_of(owner)
  if another and name_of(lent.lent_by) ~= string.lower(replaces) then
    answers[i] = 'lent_by_another'
  else
    answers[i] = 'lent'
    local before = redis.call('GET', prefix .. 'binding:' .. digest)
    -- Since when it is his: to authorize again changes nothing about that.
    local since = lent and not another and lent.since or text(now)
    if before and before ~= id then drop_binding(prefix, now, digest, before, true, 'replaced', { 'replaced_by', id }) end
    local descriptor = cjson.encode({ type = 'library', library = library, since = since })
    redis.call('SET', prefix .. 'binding:' .. digest, id)
    redis.call('HSET', prefix .. 'grant-bindings:' .. id, digest, descriptor)
    if before ~= id then fresh[#fresh + 1] = descriptor end
    redis.call('HSET', KEYS[2], library, cjson.encode({ grant = id, since = since, lent_by = owner }))
    redis.call('ZREM', prefix .. 'unbound', id)
    local parked = forget_standing(prefix, ARGV[2], library, digest)
    if parked then
      emit(prefix, now, 'library.lifted', { 'grant', id, 'server', ARGV[2], 'library', library, 'fault', parked })
    end
    audit(prefix, now, { 'action', 'library.authorized', 'actor', ARGV[4], 'server', ARGV[2], 'grant', id, 'library', library,
      'replaced', another and lent.lent_by.userId or '', 'request', ARGV[5] })
  end
end
if #fresh > 0 then emit_grant(prefix, now, 'grant.authorized', id, ARGV[2], fresh) end
return answers
