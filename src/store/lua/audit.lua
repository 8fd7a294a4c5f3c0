-- For scripts that look into a stream of audit entries.

local function sequence_of(entry) return tonumber(string.match(entry[1], '^%d+')) end

local function at_of(entry)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'at' then return tonumber(entry[2][i + 1]) end
  end
  return 0
end

-- Number of the first entry from `low` to `high` that was written at `at` or later, by halving: entries are written in the
-- order of time. `high + 1` where there is none.
local function first_at(stream, low, high, at)
  high = high + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local entry = redis.call('XRANGE', stream, string.format('%.0f-0', middle), '+', 'COUNT', 1)[1]
    if not entry or sequence_of(entry) >= high or at_of(entry) >= at then
      high = middle
    else
      low = sequence_of(entry) + 1
    end
  end
  return low
end
