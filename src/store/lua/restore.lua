-- For scripts that spend a refresh token or hand out a token: was what they read put back to an earlier state (F33)?

local function restore_mode(prefix) return redis.call('HGET', prefix .. 'gate', 'restore') end

-- Its audit goes on where the exported one ended: then entries may be written, and what still lives may be handed out.
local function restore_adopted(mode) return cjson.decode(mode).adopted == true end
