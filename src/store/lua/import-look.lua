#!lua flags=no-writes
-- with: imports
-- Says of many tokens of a file what they are here. Writes nothing: what a rehearsal asks.
--
-- KEYS  1 imports  then consent index of each
-- ARGV  fingerprint and binding digest of each  last: clock offset (ms)
-- Answers a flat list: word, grant or '', state of the import or '', for each.
local prefix = prefix_of(KEYS[1])
local found = {}
for i = 2, #KEYS do
  local word, grant, imported = import_verdict(prefix, KEYS[1], ARGV[2 * i - 3], KEYS[i], ARGV[2 * i - 2])
  found[#found + 1] = word
  found[#found + 1] = grant
  found[#found + 1] = imported
end
return found
