#!lua flags=allow-oom
-- Takes a sign-in that came back, if it came back to the browser and the registration it left from. A stranger with a
-- state but without the cookie takes nothing and burns nothing (T03).
--
-- KEYS  1 authorization request
-- ARGV  1 registration  2 number of cookie digests  3… cookie digests  last: clock offset (ms)
-- Answers the request (JSON), or one of: unknown other_registration other_browser
local stored = redis.call('GET', KEYS[1])
if not stored then return { 'unknown' } end
local request = cjson.decode(stored)
if (request.endsAt or math.huge) <= now_ms() then return { 'unknown' } end
if request.registration ~= ARGV[1] then return { 'other_registration' } end
for i = 1, tonumber(ARGV[2]) do
  if request.cookieDigest == ARGV[2 + i] then
    redis.call('DEL', KEYS[1])
    return { 'taken', stored }
  end
end
return { 'other_browser' }
