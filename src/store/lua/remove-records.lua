#!lua flags=allow-oom
-- Removes a part of what an organisation has, but its tombstone, its audit and the number of that. Counts, where nothing is to be removed.
--
-- KEYS  1 tombstone
-- ARGV  1 SCAN's cursor  2 whether to remove 0|1  3 clock offset (ms)
-- Answers { next cursor, nouns of the keys met }
local prefix = prefix_of(KEYS[1])
local found = redis.call('SCAN', ARGV[1], 'MATCH', prefix .. '*', 'COUNT', 500)
local nouns = {}
for _, key in ipairs(found[2]) do
  local noun = string.match(string.sub(key, #prefix + 1), '^[%w-]+')
  if noun == 'gate' and ARGV[2] == '1' then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      if field ~= 'audit' then redis.call('HDEL', key, field) end
    end
  elseif noun ~= 'shredded' and noun ~= 'audit' and noun ~= 'gate' then
    nouns[#nouns + 1] = noun
    if ARGV[2] == '1' then redis.call('UNLINK', key) end
  end
end
return { found[1], nouns }
