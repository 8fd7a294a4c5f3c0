#!lua flags=allow-oom
-- with: records
-- Seals a record that is stored already, and restates what scripts read of it.
--
-- KEYS  1 record  2 gate (organisations and policies)  3 members (organisations)
-- ARGV  1 what was read, '' where nothing is  2 sealed  3 organisation | policy | client | record
--       4 of clients: what broker tokens are checked against; of organisations: enabled 0|1
--       5 of organisations: `some` or ''  6 of organisations: digests of its members, separated by blanks
--       7… fields and values of the audit entry, none where nothing is another  last clock offset (ms)
-- Answers stored; conflict where another is stored by now.
local kind = ARGV[3]
local stored = kind == 'client' and redis.call('HGET', KEYS[1], 'record') or kind ~= 'client' and redis.call('GET', KEYS[1])
if (stored or '') ~= ARGV[1] then return 'conflict' end
if kind == 'client' then
  redis.call('HSET', KEYS[1], 'record', ARGV[2], 'standing', ARGV[4])
  redis.call('HDEL', KEYS[1], 'state', 'generation')
else
  redis.call('SET', KEYS[1], ARGV[2])
end
-- The text is another, so whoever has read the earlier one has to read again.
if kind == 'policy' then redis.call('HINCRBY', KEYS[2], 'policies', 1) end
if kind == 'organisation' then
  redis.call('HSET', KEYS[2], 'enabled', ARGV[4], 'members', ARGV[5])
  redis.call('DEL', KEYS[3])
  for digest in string.gmatch(ARGV[6], '%S+') do redis.call('SADD', KEYS[3], digest) end
end
if #ARGV > 7 then audit_change(KEYS[1], 7) end
return 'stored'
