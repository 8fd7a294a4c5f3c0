#!lua flags=allow-oom
-- Lets records of a newer format be written, unless somebody is at work who does not read it. A process says that it is at work
-- before it looks at the mark, so of the two one sees the other.
--
-- KEYS  1 format  2 processes
-- ARGV  1 the format  2 version of who raises it  3 within how many ms who was seen counts as at work  last clock offset (ms)
-- Answers JSON of those who hold it back; nothing is changed where there is one.
local now = now_ms()
local held = {}
local all = redis.call('HVALS', KEYS[2])
for _, text in ipairs(all) do
  local process = cjson.decode(text)
  if process.reads < tonumber(ARGV[1]) and process.seenAt >= now - tonumber(ARGV[3]) then held[#held + 1] = text end
end
if #held > 0 then return held end
if tonumber(redis.call('HGET', KEYS[1], 'format') or '0') < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'by', ARGV[2], 'since', string.format('%.0f', now))
end
return {}
