#!lua flags=no-writes
-- Looks through a part of a sync's changes for one that names a data key.
--
-- KEYS  1 changes      ARGV  1 id to go on behind, or ''  2 how many  3 ids of data keys, separated by blanks  4 clock offset (ms)
-- Answers { found 0|1, id to go on behind or '' at the end }
local entries = redis.call('XRANGE', KEYS[1], ARGV[1] == '' and '-' or '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
for _, entry in ipairs(entries) do
  for id in string.gmatch(ARGV[3], '%S+') do
    if string.find(entry[2][4], '.' .. id .. '.', 1, true) then return { 1, '' } end
  end
end
return { 0, #entries == tonumber(ARGV[2]) and entries[#entries][1] or '' }
