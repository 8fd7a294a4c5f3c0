#!lua flags=allow-oom
-- Writes an owner's data keys and how far their rotation has come, in one step with the audit entry.
--
-- KEYS  1 data keys  2 rotation
-- ARGV  1 data keys as they were read, '' for none  2 rotation likewise  3 data keys, '' as they are  4 rotation likewise
--       5… fields and values of the audit entry, or nothing     last: clock offset (ms)
-- Answers 1; 0 where somebody else has written meanwhile
local keys, rotation = redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or ''
local function after(wanted, is) return wanted == '' and is or wanted end
-- This very change is stored, and its reply was lost.
if keys == after(ARGV[3], ARGV[1]) and rotation == after(ARGV[4], ARGV[2]) then return 1 end
if keys ~= ARGV[1] or rotation ~= ARGV[2] then return 0 end
if ARGV[3] ~= '' then redis.call('SET', KEYS[1], ARGV[3]) end
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[4]) end
if #ARGV > 5 then audit(prefix_of(KEYS[1]), now_ms(), { unpack(ARGV, 5, #ARGV - 1) }) end
return 1
