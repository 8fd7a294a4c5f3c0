-- What people configure. Whoever changes a record says what he has read of it: where another is stored by now, that one
-- stays, and he is told.

local function is_free(names, name, id)
  local holder = redis.call('HGET', names, name)
  return not holder or holder == id
end

-- Who changed what, as ARGV has it from `first` up to the clock.
local function audit_change(key, first)
  audit(prefix_of(key), now_ms(), { unpack(ARGV, first, #ARGV - 1) })
end
