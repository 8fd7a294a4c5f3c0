#!lua flags=allow-oom
-- Notes what an operator is about to do to a work queue. The act itself is BullMQ's, in a slot of its own.
--
-- KEYS  1 journal
-- ARGV  1 retry, promote or remove  2 actor  3 queue  4 job, or the state of those meant  5 request  6 address
--       last clock offset (ms)
local DONE = { retry = 'queue.retried', promote = 'queue.promoted', remove = 'queue.removed' }
return audit(prefix_of(KEYS[1]), now_ms(), { 'action', DONE[ARGV[1]], 'actor', ARGV[2], 'queue', ARGV[3], 'job', ARGV[4],
  'request', ARGV[5], 'address', ARGV[6] })
