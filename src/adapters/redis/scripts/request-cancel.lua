#!lua
-- Keeps a request to cancel, and a copy of it for workers, unless one is in force. It publishes a new one.
-- KEYS  1 record   2 cancel
-- ARGV  1 newest format understood   2 deadline by the clock of this server (ms)   3 request as JSON   4 time to live (ms)
--       5 channel to publish on   6 the key of the copy
-- Answers {"REQUESTED", the request in force, 1 | 0 (the copy could be made), ms that the channel has to live}, {"ENDED"} if
-- users see the analysis as ended, {"LATE"} after the deadline, or {"NEWER", format}: in these three it did nothing.
-- The request that is kept and copied says besides which attempt it is for, as `toldCancel` of the domain has it.

-- CONSTANTS CANCEL_FLAG STAGE_MARKS_KEPT
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) >= tonumber(ARGV[2]) then return { 'LATE' } end
local record, cancel = KEYS[1], KEYS[2]
local channel = redis.call('HMGET', record, 'format', 'offset', 'attempt', 'stage')
if channel[1] and tonumber(channel[1]) > tonumber(ARGV[1]) then return { 'NEWER', channel[1] } end
-- INCLUDE current-run
-- INCLUDE judge-cancel
if is_over(record) then return { 'ENDED' } end
local offset = tonumber(channel[2] or '0')
local kept = redis.call('GET', cancel)
-- As long as the channel: it expires with what it belongs to.
local ttl = redis.call('PTTL', record)
if ttl <= 0 then ttl = tonumber(ARGV[4]) end
local request
if kept and not cancel_is_over(kept, record, offset) then
  request = request_of(kept)
  if offset == 0 then ttl = math.max(redis.call('PTTL', cancel), 1) end
else
  local attempt = channel[4] ~= 'queued' and channel[3] and cjson.encode(channel[3]) or 'null'
  request = string.sub(ARGV[3], 1, -2) .. ',"attempt_id":' .. attempt .. '}'
  redis.call('SET', cancel, string.format('%.0f', offset) .. ' ' .. request, 'PX', ttl)
  redis.call('PUBLISH', ARGV[5], CANCEL_FLAG .. ARGV[3])
end
return { 'REQUESTED', request, is_refused(redis.pcall('SET', ARGV[6], request, 'PX', ttl)) and 0 or 1, ttl }
