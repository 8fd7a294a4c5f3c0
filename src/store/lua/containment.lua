-- What stops tokens. Scripts that begin with `-- with: containment` have it. Hash `stops`: selector → ids of the containments
-- that name it; the gate's field `windows`: JSON list of windows of consent. Both are read where a token would be handed out.

-- Answers the selector that hit and the containment, or nothing.
-- of: client, server, binding (digest), grant, gen, user (the grant's `consent`), consented_at; any may be missing
local function stopped_by(prefix, windows, of)
  local names = { 'organisation' }
  local function name(text) names[#names + 1] = text end
  if of.server then name('server:' .. of.server) end
  if of.client then
    name('client:' .. of.client)
    if of.server then name('client:' .. of.client .. '@' .. of.server) end
  end
  if of.binding then name('binding:' .. of.binding) end
  if of.user then name('user:' .. of.user) end
  if of.grant then
    name('grant:' .. of.grant)
    if of.gen then
      name('tokens:' .. of.grant .. '/' .. of.gen)
      if of.client then name('tokens:' .. of.grant .. '/' .. of.gen .. '@' .. of.client) end
    end
  end
  for i, ids in ipairs(redis.call('HMGET', prefix .. 'stops', unpack(names))) do
    if ids then return names[i], string.match(ids, '%S+') end
  end
  if windows and of.consented_at then
    local at = tonumber(of.consented_at)
    for _, w in ipairs(cjson.decode(windows)) do
      if w.from <= at and at <= w.to and (not w.client or w.client == of.client) and (not w.server or w.server == of.server) then
        return 'consents', w.id
      end
    end
  end
end
