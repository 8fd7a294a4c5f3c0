#!lua flags=allow-oom
-- with: records
-- Stores a policy, or takes it away, and raises the generation of the organisation's policies: every cached verdict is void at once.
--
-- KEYS  1 policy  2 gate
-- ARGV  1 what was read (JSON), '' for a new one  2 policy (JSON), '' for none any more  3… fields and values of the audit entry
--       last clock offset (ms)
-- Answers stored; conflict where another is stored by now.
local stored = redis.call('GET', KEYS[1]) or ''
if stored == ARGV[2] then return 'stored' end
if stored ~= ARGV[1] then return 'conflict' end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2]) end
redis.call('HINCRBY', KEYS[2], 'policies', 1)
audit_change(KEYS[1], 3)
if ARGV[2] ~= '' then wake_syncs(prefix_of(KEYS[1]), now_ms(), nil, string.match(KEYS[1], '(cli_%w+)$')) end
return 'stored'
