#!lua flags=no-writes
-- Reads the last positions of channels, and the lineage of this server, in one step.
-- KEYS  the record of each channel. On a Cluster a call has one, since channels share no hash tag
-- ARGV  1 newest format that the gateway understands
-- Answers {"POSITIONS", lineage, epoch, offset, epoch, offset, …}; epoch "" and offset 0 mean that there is no channel.
-- A channel of a newer format counts as none here. A gateway that reads it is told.

local answer = { 'POSITIONS', string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or 'unknown' }
for i, record in ipairs(KEYS) do
  local kept = redis.call('HMGET', record, 'epoch', 'offset', 'format')
  local known = kept[2] and not (kept[3] and tonumber(kept[3]) > tonumber(ARGV[1]))
  answer[2 * i + 1] = known and kept[1] or ''
  answer[2 * i + 2] = known and kept[2] or '0'
end
return answer
