#!lua flags=no-writes
-- Reads everything that is kept of a channel except its history, in one step.
-- KEYS  record, viewers, history, cancel    ARGV  newest format understood
-- Answers {"CHANNEL", now (ms), viewers, request to cancel in force, epoch, offset, epochs, heard, status, terminal, stages, attempt, oldest
-- kept, request to cancel that was in force at the end}, without the last ten if there is no channel, or {"NEWER", format}.

-- CONSTANTS STAGE_MARKS_KEPT
-- INCLUDE current-run
-- INCLUDE judge-cancel
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('HMGET', KEYS[1], 'format', 'epoch', 'offset', 'epochs', 'heard', 'status', 'terminal', 'stages', 'attempt')
if kept[1] and tonumber(kept[1]) > tonumber(ARGV[1]) then
  return { 'NEWER', kept[1] }
end
local cancel = redis.call('GET', KEYS[4])
local request = cancel and not cancel_is_over(cancel, KEYS[1], tonumber(kept[3] or '0')) and request_of(cancel)
local answer = { 'CHANNEL', now, redis.call('GET', KEYS[2]), request }
if kept[3] then
  for i = 2, 9 do answer[i + 3] = kept[i] end
  answer[13] = string.format('%.0f', tonumber(kept[3]) - redis.call('XLEN', KEYS[3]) + 1)
  answer[14] = cancel and not request and is_over(KEYS[1]) and is_of_run(cancel, KEYS[1], tonumber(kept[3])) and request_of(cancel)
end
return answer
