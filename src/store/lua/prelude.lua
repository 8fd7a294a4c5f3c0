-- Stands in front of every script. The last ARGV is always the clock offset in milliseconds (0 outside tests), so that
-- tests shift time by saying so and never by waiting.

local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(ARGV[#ARGV])
end

-- 'b1:{o:<route>}:' of any key of the organisation. All keys of an organisation lie in one slot, so a script may reach
-- those it derives from here.
local function prefix_of(key)
  return string.match(key, '^(b1:%b{}:)')
end

-- What happened to a grant, for whoever asks why it broke. The newest two hundred or so stay, and stay when the grant is gone, for
-- as long as the audit does. One string with a JSON list a line: a stream takes 4.7 KB for its first entry. more: further fields,
-- a flat list.
local STORY_BYTES = 40000
local function timeline(prefix, now, grant, kind, detail, more)
  local key = prefix .. 'story:' .. grant
  local line = cjson.encode({ string.format('%.0f', now), kind, detail or '', unpack(more or {}) }) .. '\n'
  local length = redis.call('APPEND', key, line)
  if length > STORY_BYTES then
    local kept = redis.call('GETRANGE', key, length - STORY_BYTES * 3 / 4, -1)
    redis.call('SET', key, string.sub(kept, string.find(kept, '\n', 1, true) + 1))
  end
end

-- Whether there is one. Until November 2026 it was a stream of its own, which is read as long as it lies there.
local function has_timeline(prefix, grant)
  return redis.call('EXISTS', prefix .. 'story:' .. grant, prefix .. 'timeline:' .. grant) > 0
end

-- What of an audit entry stands on the timeline of its grant: who did it, and what it says of the grant.
local ON_TIMELINE = { actor = true, request = true, library = true, replaced = true, why = true,
  containment = true, generation = true }

-- Appends one audit entry and answers its number: contiguous, because number and entry are written together. What was done
-- to one grant stands on its timeline too; tokens handed out and refresh tokens rotated do not, for they are many and would
-- take all its places.
local function audit(prefix, now, fields)
  local seq = redis.call('HINCRBY', prefix .. 'gate', 'audit', 1)
  redis.call('XADD', prefix .. 'audit', seq .. '-0', 'at', string.format('%.0f', now), unpack(fields))
  local action = fields[2]
  if action == 'token.issued' or action == 'grant.rotated' or action == 'policy.budget_exceeded' then return seq end
  local grant, more = nil, {}
  for i = 3, #fields, 2 do
    if fields[i] == 'grant' then grant = fields[i + 1] end
    -- The first consent is told by there being no number: most grants have no other, and these bytes are most of theirs.
    if ON_TIMELINE[fields[i]] and not (fields[i] == 'generation' and fields[i + 1] == '1') then
      more[#more + 1] = fields[i]
      more[#more + 1] = fields[i + 1]
    end
  end
  -- Of a grant that never was there is none, and of an organisation that was shredded nothing is kept.
  if grant and grant ~= '' and (action == 'grant.authorized' or action == 'grant.imported' or has_timeline(prefix, grant)) then
    timeline(prefix, now, grant, action, '', more)
  end
  return seq
end

-- Syncs that wait for somebody look again at once: he may have acted. What a defect or a person of ours holds up waits on, and a run
-- under way looks by itself. Losing the announcement costs time only. server: of this one alone, or nil. client: the same.
local WAITS_ON = { worker_crashed = true, deletions_held = true, sync_quota_exceeded = true }
local function wake_syncs(prefix, now, server, client)
  local woken = 0
  for _, id in ipairs(redis.call('SMEMBERS', prefix .. 'syncs-parked')) do
    local key = prefix .. 'sync:' .. id
    local s = redis.call('HMGET', key, 'state', 'because', 'due_at', 'running', 'client', 'server')
    if s[1] ~= 'parked' then
      -- It went on, or has gone, since: nobody else takes it off.
      redis.call('SREM', prefix .. 'syncs-parked', id)
    elseif (not client or s[5] == client) and (not server or s[6] == server) and not s[4] and not WAITS_ON[s[2]]
      and tonumber(s[3] or '0') > now then
      local due = string.format('%.0f', now)
      redis.call('HSET', key, 'due_at', due)
      redis.call('ZADD', prefix .. 'due:sync', due, id)
      woken = woken + 1
    end
  end
  if woken > 0 then redis.call('PUBLISH', 'b1:syncs-due', 'org_' .. string.match(prefix, '{o:(%w+)}')) end
end

-- A sync waits for somebody. It is noted where whoever may have acted finds it without reading all that go on.
local function park_sync(key, id, because)
  redis.call('HSET', key, 'state', 'parked', 'because', because)
  redis.call(WAITS_ON[because] and 'SREM' or 'SADD', prefix_of(key) .. 'syncs-parked', id)
end

-- What may be what a sync waits for: so that no kind that could be is forgotten where it is told.
local WAKES = { ['grant.authorized'] = 'libraries', ['grant.recovered'] = 'libraries', ['library.lifted'] = 'all',
  ['server.recovered'] = 'all', ['containment.lifted'] = 'all' }
local function wake_by(prefix, now, kind, fields)
  local of = {}
  for i = 1, #fields, 2 do of[fields[i]] = fields[i + 1] end
  -- People's own authorizations come by the thousand, and no sync reads with them.
  if WAKES[kind] == 'all' or WAKES[kind] and string.find(of.bindings or '', '"library"', 1, true) then
    wake_syncs(prefix, now, of.server)
  end
end

-- Tells an event to whoever follows the organisation's log, in the step in which it happens; its number is contiguous, because
-- number and event are written together. `fields`: a flat list; kinds and fields are those of `domain/event-kinds.ts`. The
-- announcement may be lost. What belongs to no organisation is told nowhere, and of one that is shredded nothing is kept.
local function emit(prefix, now, kind, fields)
  local route = string.match(prefix, '^b1:{o:(%w+)}:$')
  if not route or redis.call('EXISTS', prefix .. 'shredded') == 1 then return end
  local seq = redis.call('HINCRBY', prefix .. 'gate', 'events', 1)
  redis.call('XADD', prefix .. 'events', seq .. '-0', 'at', string.format('%.0f', now), 'kind', kind, unpack(fields))
  redis.call('PUBLISH', 'b1:events', 'org_' .. route)
  wake_by(prefix, now, kind, fields)
end

-- Who uses a grant, as its record has them: what decides who is told of it.
local function bindings_of(prefix, grant)
  return redis.call('HVALS', prefix .. 'grant-bindings:' .. grant)
end

-- The same for an event of a grant. bindings: list of descriptors, of whom it concerns at this moment. more: further fields.
local function emit_grant(prefix, now, kind, grant, server, bindings, more)
  emit(prefix, now, kind, { 'grant', grant, 'server', server, 'bindings', '[' .. table.concat(bindings, ',') .. ']',
    unpack(more or {}) })
end

-- The same for an event of a sync, by its hash. more: further fields.
local function emit_sync(prefix, now, kind, id, more)
  local s = redis.call('HMGET', prefix .. 'sync:' .. id, 'client', 'server', 'library')
  if not s[1] then return end
  emit(prefix, now, kind, { 'sync', id, 'client', s[1], 'server', s[2], 'library', s[3], unpack(more or {}) })
end

-- Notes when a refresh token ends, of a grant that lives, and when to warn of it next: 14, 7, 3 and 1 days before. Whoever ends in
-- more than thirty days is found by his end when that comes near (`sweep-expiry`), and stands in one index, not in two.
local FIRST_WARNING_MS = 30 * 86400000
local function forecast(prefix, now, grant, ends)
  local state = redis.call('HGET', prefix .. 'grant:' .. grant, 'state')
  if state == 'active' or state == 'suspect' then
    redis.call('ZADD', prefix .. 'grant-ends', string.format('%.0f', ends), grant)
  end
  for _, days in ipairs(ends - FIRST_WARNING_MS > now and {} or { 14, 7, 3, 1 }) do
    local warn = ends - days * 86400000
    if warn > now then
      redis.call('ZADD', prefix .. 'due:expiry', string.format('%.0f', warn), grant)
      return
    end
  end
  redis.call('ZREM', prefix .. 'due:expiry', grant)
end

-- Writes a grant's state, and where grants are counted by it: whoever is not active lies in the set of his state, and what is
-- over ends at no time. `from`: what it was, false where there was none.
local function put_state(prefix, grant, from, to)
  local key = prefix .. 'grant:' .. grant
  redis.call('HSET', key, 'state', to)
  if from == to then return end
  if from and from ~= 'active' then redis.call('SREM', prefix .. 'grants-in:' .. from, grant) end
  if to ~= 'active' then redis.call('SADD', prefix .. 'grants-in:' .. to, grant) end
  local ends = (to == 'active' or to == 'suspect') and redis.call('HGET', key, 'rt_exp')
  if ends then
    forecast(prefix, now_ms(), grant, tonumber(ends))
  else
    redis.call('ZREM', prefix .. 'grant-ends', grant)
  end
end

-- Puts a grant's sealed tokens where the revocation worker finds them: at once, or where it finds them not before a moment,
-- because what was handed out lives until then. For a containment they are counted there.
local function to_revocations(prefix, now, grant, server, registration, gen, tokens, not_before, consent, containment)
  if containment and #tokens > 0 then redis.call('HINCRBY', prefix .. 'containment:' .. containment, 'tokens', #tokens) end
  for _, token in ipairs(tokens) do
    if not_before and not_before > now then
      redis.call('ZADD', prefix .. 'revocations:later', string.format('%.0f', not_before), cjson.encode({
        at = string.format('%.0f', not_before), grant = grant, server = server, registration = registration, gen = gen,
        kind = token[1], sealed = token[2], att = token[3], consent = consent }))
    else
      redis.call('XADD', prefix .. 'revocations', '*', 'at', string.format('%.0f', now), 'grant', grant, 'server', server,
        'registration', registration, 'gen', gen, 'kind', token[1], 'sealed', token[2], 'att', token[3],
        unpack(containment and { 'containment', containment } or {}))
    end
  end
end

-- A library whose binding ends or changes hands is parked no more, and what was seen of its owner before counts no more.
-- Answers why it was parked, or false.
local function forget_standing(prefix, server, library, digest)
  local parked = redis.call('HGET', prefix .. 'parked', digest)
  redis.call('HDEL', prefix .. 'standing:' .. server, library)
  redis.call('HDEL', prefix .. 'parked', digest)
  return parked
end

-- Of a grant whose place was taken, what was handed out is spared until so long before its end. Not to the end itself:
-- iManage's revocation takes access tokens (facts page, 1), and whether one that has expired still ends its refresh token is
-- not known (?). Time enough for the worker, which comes every five seconds.
local REVOKED_BEFORE_END_MS = 30000

-- What a grant has that can be revoked: the access token first, since iManage's revocation takes access tokens (facts page, 1).
local function tokens_of(key)
  local g = redis.call('HMGET', key, 'at', 'at_att', 'rt', 'rt_att', 'spares')
  local tokens = {}
  if g[1] then tokens[#tokens + 1] = { 'access-token', g[1], g[2] } end
  if g[3] then tokens[#tokens + 1] = { 'refresh-token', g[3], g[4] } end
  for _, spare in ipairs(cjson.decode(g[5] or '[]')) do
    tokens[#tokens + 1] = { 'refresh-token', spare.sealed, spare.att }
  end
  return tokens
end

-- Removes a grant with its bindings and puts its tokens to the revocation outbox. False: it was gone already.
-- kindly: what was handed out of it may live nearly to its end; 'spared': another system goes on with its tokens, and none is revoked. gone: bindings that were taken off it in this same step, and are
-- told with the others. why, more: for the event, its reason and further fields.
local function drop_grant(prefix, now, id, kindly, gone, why, more)
  local key = prefix .. 'grant:' .. id
  local g = redis.call('HMGET', key, 'server', 'registration', 'gen', 'at', 'consent', 'at_exp', 'state')
  if not g[1] then return false end
  local told = bindings_of(prefix, id)
  for _, descriptor in ipairs(gone or {}) do told[#told + 1] = descriptor end
  emit_grant(prefix, now, 'grant.revoked', id, g[1], told, { 'reason', why, unpack(more or {}) })
  for digest, descriptor in pairs((function()
    local flat, map = redis.call('HGETALL', prefix .. 'grant-bindings:' .. id), {}
    for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
    return map
  end)()) do
    redis.call('DEL', prefix .. 'binding:' .. digest)
    local bound = cjson.decode(descriptor)
    if bound.type == 'library' then
      redis.call('HDEL', prefix .. 'libraries:' .. g[1], bound.library)
      forget_standing(prefix, g[1], bound.library, digest)
    end
  end
  local libraries = {}
  for _, descriptor in ipairs(told) do
    local bound = cjson.decode(descriptor)
    if bound.type == 'library' then libraries[#libraries + 1] = bound.library end
  end
  timeline(prefix, now, id, 'grant.gone', why or '', { 'server', g[1], 'libraries',
    #libraries > 0 and cjson.encode(libraries) or '[]', unpack(more or {}) })
  redis.call('ZADD', prefix .. 'ended', string.format('%.0f', now), id)
  local spared = kindly == 'spared'
  local not_before = kindly and not spared and g[4] and tonumber(g[6]) - REVOKED_BEFORE_END_MS or nil
  if not spared then to_revocations(prefix, now, id, g[1], g[2], g[3], tokens_of(key), not_before, g[5]) end
  if not_before and not_before > now then
    -- A refresh that is under way ends as an orphan: what it brings may wait as long.
    redis.call('SET', prefix .. 'outlived:' .. id, string.format('%.0f', not_before) .. ' ' .. g[5], 'PX',
      math.ceil(not_before - now))
  end
  redis.call('DEL', key, prefix .. 'grant-bindings:' .. id, prefix .. 'consent:' .. g[5])
  redis.call('ZREM', prefix .. 'due:expiry', id)
  redis.call('ZREM', prefix .. 'grant-ends', id)
  if g[7] ~= 'active' then redis.call('SREM', prefix .. 'grants-in:' .. g[7], id) end
  redis.call('ZREM', prefix .. 'grants', id)
  redis.call('ZREM', prefix .. 'due:refresh', id)
  redis.call('ZREM', prefix .. 'unbound', id)
  redis.call('PUBLISH', 'b1:refresh-outcome', id .. ' deleted')
  return true
end

-- Takes one binding off its grant; the last one gone takes the grant along. Of the one whose use ends it is told either way.
local function drop_binding(prefix, now, digest, grant, kindly, why, more)
  local descriptor = redis.call('HGET', prefix .. 'grant-bindings:' .. grant, digest)
  redis.call('DEL', prefix .. 'binding:' .. digest)
  redis.call('HDEL', prefix .. 'grant-bindings:' .. grant, digest)
  local gone = descriptor and { descriptor } or {}
  if redis.call('HLEN', prefix .. 'grant-bindings:' .. grant) == 0 then
    drop_grant(prefix, now, grant, kindly, gone, why, more)
  elseif descriptor then
    emit_grant(prefix, now, 'grant.revoked', grant, redis.call('HGET', prefix .. 'grant:' .. grant, 'server'), gone,
      { 'reason', why, unpack(more or {}) })
  end
end
