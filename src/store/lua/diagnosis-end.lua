#!lua flags=allow-oom
-- Ends a diagnosis and keeps what it found. Whose time was over, and who was followed by another, stores nothing.
--
-- KEYS  1 diagnosis
-- ARGV  1 holder  2 JSON of the result, or ''  3 good (1|0)  4 clock offset (ms)
-- Answers 1 where it was the holder's to end, else 0
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'holder', 'until')
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'last', ARGV[2])
  if ARGV[3] == '1' then redis.call('HSET', KEYS[1], 'last_good', ARGV[2]) end
end
return 1
