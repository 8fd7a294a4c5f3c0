-- For scripts that spend a refresh token or hand out a token: was what they read put back to an earlier state (F33)?

local function restore_mode(prefix) return redis.call('HGET', prefix .. 'gate', 'restore') end

-- Its audit goes on where the exported one ended. Until then its numbers may have been given before, and nothing is exported.
local function restore_adopted(mode) return cjson.decode(mode).adopted == true end

-- A backup may be of any age, so what was withdrawn since then is not known. A store that lost its newest writes under processes
-- that work goes on handing out what still lives: half an hour at most, as nothing is refreshed.
local function restore_closed(mode) return cjson.decode(mode).why ~= 'went_back' end
