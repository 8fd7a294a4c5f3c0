-- For scripts that store what a refresh brought. ARGV is that of refresh-commit.

-- Where iManage gave another refresh token, the audit says so, and the grant says by which entry it knows: whoever puts an older
-- store back finds by the exported audit which grants have been given another since (F33). Of a spare likewise.
local function note_rotation(prefix, now, key, args)
  if args[7] == '' or args[7] == args[5] then return end
  local seq = audit(prefix, now, { 'action', 'grant.rotated', 'actor', 'worker', 'server', args[16], 'grant', args[1],
    'generation', args[4] })
  redis.call('HSET', key, 'rt_seq', string.format('%.0f', seq))
end

-- The last eight attempts that were stored, newest first, in `done`: of each the last eleven letters (62 bits) and what it was
-- answered, + committed or - spare. In every grant that lives for long, so they are short; until November 2026 each was a list of
-- the whole attempt and the whole answer. Answers what an attempt was answered, or nil.
local function answered_before(done, attempt)
  for _, one in ipairs(done) do
    if type(one) == 'table' and one[1] == attempt then return one[2] end
    if one == string.sub(attempt, -11) .. '+' then return 'committed' end
    if one == string.sub(attempt, -11) .. '-' then return 'spare' end
  end
end
local function note_answered(key, done, attempt, as)
  table.insert(done, 1, string.sub(attempt, -11) .. (as == 'committed' and '+' or '-'))
  while #done > 8 do table.remove(done) end
  redis.call('HSET', key, 'done', cjson.encode(done))
end

-- From when on an access token is of no use. Of an imported grant nobody has asked iManage yet whose it is: what a refresh brought
-- is kept, and over for everybody until import-verify says otherwise.
local function usable_until(key, now, expires, due)
  local imported = redis.call('HGET', key, 'imported')
  if not imported or imported == 'verified' then return expires, due end
  redis.call('HSET', key, 'import_exp', string.format('%.0f', expires), 'import_due', string.format('%.0f', due))
  return now - 1, now
end
