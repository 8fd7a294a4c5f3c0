#!lua flags=allow-oom
-- with: records
-- Stores a server or a registration under its name, and who did it.
--
-- KEYS  1 record  2 names
-- ARGV  1 what was read (JSON), '' for a new one  2 record (JSON)  3 name  4 id  5… fields and values of the audit entry
--       last clock offset (ms)
-- Answers stored; conflict where another is stored by now, or the name is another's.
local stored = redis.call('GET', KEYS[1]) or ''
-- This very record is stored, and its reply was lost.
if stored == ARGV[2] then return 'stored' end
if stored ~= ARGV[1] or not is_free(KEYS[2], ARGV[3], ARGV[4]) then return 'conflict' end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
audit_change(KEYS[1], 5)
return 'stored'
