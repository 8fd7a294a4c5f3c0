#!lua flags=allow-oom
-- with: records
-- Stores an organisation, what token requests read of it, and who did it: nobody slips through a list that is half written.
-- Works when Redis is full: switched off, tokens stop.
--
-- KEYS  1 organisation  2 gate  3 members
-- ARGV  1 what was read (JSON), '' for a new one  2 organisation (JSON)  3 enabled 0|1  4 `some` or ''
--       5 digests of its members, separated by blanks  6… fields and values of the audit entry  last clock offset (ms)
-- Answers stored; conflict where another is stored by now.
local stored = redis.call('GET', KEYS[1]) or ''
if stored == ARGV[2] then return 'stored' end
if stored ~= ARGV[1] then return 'conflict' end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], 'enabled', ARGV[3], 'members', ARGV[4])
redis.call('DEL', KEYS[3])
for digest in string.gmatch(ARGV[5], '%S+') do redis.call('SADD', KEYS[3], digest) end
audit_change(KEYS[1], 6)
return 'stored'
