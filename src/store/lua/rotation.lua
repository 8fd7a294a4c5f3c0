-- For scripts that store what a refresh brought. ARGV is that of refresh-commit.

-- Where iManage gave another refresh token, the audit says so, and the grant says by which entry it knows: whoever puts an older
-- store back finds by the exported audit which grants have been given another since (F33). Of a spare likewise.
local function note_rotation(prefix, now, key, args)
  if args[7] == '' or args[7] == args[5] then return end
  local seq = audit(prefix, now, { 'action', 'grant.rotated', 'actor', 'worker', 'server', args[16], 'grant', args[1],
    'generation', args[4] })
  redis.call('HSET', key, 'rt_seq', string.format('%.0f', seq))
end
