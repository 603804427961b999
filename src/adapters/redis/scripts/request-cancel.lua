#!lua
-- Keeps a request to cancel, and a copy of it for workers, unless one is in force. It publishes a new one.
-- KEYS  1 record   2 cancel
-- ARGV  1 newest format understood   2 deadline by the clock of this server (ms)   3 request as JSON   4 time to live (ms)
--       5 channel to publish on   6 the key of the copy
-- Answers {"REQUESTED", the request in force, 1 | 0 (the copy could be made)}, {"ENDED"} if a terminal event is current,
-- {"LATE"} after the deadline, or {"NEWER", format}: in these three it did nothing.

-- CONSTANTS CANCEL_FLAG
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) >= tonumber(ARGV[2]) then return { 'LATE' } end
local record, cancel = KEYS[1], KEYS[2]
local channel = redis.call('HMGET', record, 'format', 'offset')
if channel[1] and tonumber(channel[1]) > tonumber(ARGV[1]) then return { 'NEWER', channel[1] } end
if redis.call('HEXISTS', record, 'terminal') == 1 then return { 'ENDED' } end
-- INCLUDE judge-cancel
local offset = tonumber(channel[2] or '0')
local kept = redis.call('GET', cancel)
local request = ARGV[3]
if kept and not cancel_is_over(kept, record, offset) then
  request = request_of(kept)
else
  redis.call('SET', cancel, string.format('%.0f', offset) .. ' ' .. request, 'PX', ARGV[4])
  redis.call('PUBLISH', ARGV[5], CANCEL_FLAG .. request)
end
return { 'REQUESTED', request, is_refused(redis.pcall('SET', ARGV[6], request, 'PX', ARGV[4])) and 0 or 1 }
