#!lua flags=no-writes
-- Where channels stand, and which line of history this server is on, in one step.
-- KEYS  a record for each    ARGV  newest format understood
-- Answers {"POSITIONS", line, epoch, offset, epoch, offset, …}, "" and 0 where there is no channel; a channel of a
-- newer format counts as none here: whoever reads it is told.

local answer = { 'POSITIONS', string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or 'unknown' }
for i, record in ipairs(KEYS) do
  local kept = redis.call('HMGET', record, 'epoch', 'offset', 'format')
  local known = kept[2] and not (kept[3] and tonumber(kept[3]) > tonumber(ARGV[1]))
  answer[2 * i + 1] = known and kept[1] or ''
  answer[2 * i + 2] = known and kept[2] or '0'
end
return answer
