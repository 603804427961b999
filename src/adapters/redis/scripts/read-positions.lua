#!lua flags=no-writes
-- Reads the last positions of channels, and the lineage of this server, in one step.
-- KEYS  the record of each channel
-- ARGV  1 newest format that the gateway understands  2… records of more channels, which are not declared: a call to a
--       server of a Cluster may declare the keys of one slot alone
-- Answers {"POSITIONS", lineage, now (ms), epoch, offset, heard (ms), epoch, …}, those of KEYS first; epoch "" and offset 0 mean
-- that there is no channel, and offset "" that this server may not read a record that was not declared.
-- A channel of a newer format counts as none here. A gateway that reads it is told.

local answer = { 'POSITIONS', string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or 'unknown' }
local time = redis.call('TIME')
answer[3] = time[1] * 1000 + math.floor(time[2] / 1000)

local function add(kept)
  local known = kept[2] and not (kept[3] and tonumber(kept[3]) > tonumber(ARGV[1]))
  answer[#answer + 1] = known and kept[1] or ''
  answer[#answer + 1] = known and kept[2] or '0'
  answer[#answer + 1] = known and kept[4] or ''
end

for _, record in ipairs(KEYS) do
  add(redis.call('HMGET', record, 'epoch', 'offset', 'format', 'heard'))
end
for i = 2, #ARGV do
  local kept = redis.pcall('HMGET', ARGV[i], 'epoch', 'offset', 'format', 'heard')
  add(kept.err and { '', '' } or kept)
end
return answer
