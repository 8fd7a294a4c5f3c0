#!lua
-- Stores a policy and raises the generation of the organisation's policies: every cached verdict is void at once.
--
-- KEYS  1 policy  2 gate      ARGV  1 policy (JSON)  2 clock offset (ms)
redis.call('SET', KEYS[1], ARGV[1])
return redis.call('HINCRBY', KEYS[2], 'policies', 1)
