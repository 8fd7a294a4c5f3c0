#!lua flags=allow-oom
-- with: records
-- Stores a client under its name, what broker tokens are checked against, and who did it.
--
-- KEYS  1 client  2 names
-- ARGV  1 what was read (JSON), '' for a new one  2 client (JSON)  3 name  4 id  5 what broker tokens are checked against
--       6… fields and values of the audit entry  last clock offset (ms)
-- Answers stored; conflict where another is stored by now, or the name is another's.
local stored = redis.call('HGET', KEYS[1], 'record') or ''
if stored == ARGV[2] then return 'stored' end
if stored ~= ARGV[1] or not is_free(KEYS[2], ARGV[3], ARGV[4]) then return 'conflict' end
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'standing', ARGV[5])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
audit_change(KEYS[1], 6)
redis.call('PUBLISH', 'b1:client-changed', ARGV[4])
return 'stored'
