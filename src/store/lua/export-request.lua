#!lua
-- Notes what one operator wants to export; another has to confirm it.
--
-- KEYS  1 export
-- ARGV  1 export id  2 server  3 record (JSON)  4 thumbprint of the key  5 actor  6 request id  7 reason  8 life (ms)
--       9 clock offset (ms)
redis.call('HSET', KEYS[1], 'record', ARGV[3], 'by', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[8])
audit(prefix_of(KEYS[1]), now_ms(), { 'action', 'export.requested', 'actor', ARGV[5], 'server', ARGV[2], 'key', ARGV[4], 'request',
  ARGV[6], 'purpose', ARGV[7] })
return 1
