#!lua flags=allow-oom
-- Removes a part of what an organisation has, but its tombstone, and its audit with its numbers and how far it was exported: a worker
-- that still knows of the organisation would begin its chain anew. What was exported ends by itself. Counts, where nothing is to be removed.
--
-- KEYS  1 tombstone
-- ARGV  1 SCAN's cursor  2 whether to remove 0|1  3 how long the audit is kept (ms)  4 clock offset (ms)
-- Answers { next cursor, nouns of the keys met }
local prefix = prefix_of(KEYS[1])
local found = redis.call('SCAN', ARGV[1], 'MATCH', prefix .. '*', 'COUNT', 500)
local nouns = {}
for _, key in ipairs(found[2]) do
  local noun = string.match(string.sub(key, #prefix + 1), '^[%w-]+')
  if noun == 'gate' and ARGV[2] == '1' then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      if field ~= 'audit' and field ~= 'acked' and field ~= 'epoch' then redis.call('HDEL', key, field) end
    end
  elseif noun == 'audit' and ARGV[2] == '1' then
    redis.call('PEXPIRE', key, ARGV[3])
  elseif noun ~= 'shredded' and noun ~= 'audit' and noun ~= 'audit-head' and noun ~= 'gate' then
    nouns[#nouns + 1] = noun
    if ARGV[2] == '1' then redis.call('UNLINK', key) end
  end
end
return { found[1], nouns }
