#!lua
-- Takes a handful of an organisation's due grants for one run: counts a start of each, before anything is done for it, and makes the
-- run theirs for as long as its process says that it lives. Passed over are those that somebody is at already.
--
-- KEYS  1 due
-- ARGV  1 run  2 it lives for (ms)  3 forgotten after (ms)  4 how many  5 soon means (ms)  6… grants that are not wanted
--       last clock offset (ms)
-- Answers suspect or '' (the first that was running when a process died; it is not taken), soon (1 where none is due and some will
-- be in a moment), then grant and server of each that was taken.
local LOOKED_AT = 256

local now = now_ms()
local text = function(n) return string.format('%.0f', n) end
local prefix = prefix_of(KEYS[1])
local unwanted = {}
for i = 6, #ARGV - 1 do unwanted[ARGV[i]] = true end

local answer = { '', 0 }
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, LOOKED_AT)
for _, id in ipairs(ids) do
  if #answer - 2 >= 2 * tonumber(ARGV[4]) then break end
  if not unwanted[id] then
    local starts = prefix .. 'starts:' .. id
    local s = redis.call('HMGET', starts, 'starts', 'run_until')
    if s[2] and tonumber(s[2]) > now then
      -- Somebody is at it.
    elseif s[1] then
      if answer[1] == '' then answer[1] = id end
    else
      local g = redis.call('HMGET', prefix .. 'grant:' .. id, 'server', 'lease_until')
      if g[1] and not (g[2] and tonumber(g[2]) > now) then
        redis.call('HSET', starts, 'starts', 1, 'run', ARGV[1], 'run_until', text(now + tonumber(ARGV[2])))
        redis.call('PEXPIRE', starts, ARGV[3])
        answer[#answer + 1] = id
        answer[#answer + 1] = g[1]
      end
    end
  end
end
if #answer == 2 and answer[1] == '' and redis.call('ZCOUNT', KEYS[1], '(' .. text(now), text(now + tonumber(ARGV[5]))) > 0 then
  answer[2] = 1
end
return answer
