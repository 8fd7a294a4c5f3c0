-- Says that whether a client may come in has changed, where a selector names one and the containment is of no one organisation.
local function tell_client(prefix, selector)
  local client = prefix == 'b1:{s:client}:' and string.match(selector, '^client:(cli_%w+)$')
  if client then redis.call('PUBLISH', 'b1:client-changed', client) end
end
