#!lua
-- Notes that the worker of a channel was heard. A channel without events stays as it is, and so does one whose worker names
-- an attempt that another has replaced: that one is told of no request either.
-- KEYS  1 record   2 cancel    ARGV  1 newest format understood   2 attempt or ""
-- Answers {"HEARD", 1 | 0 (a request to cancel is in force)}, or {"NEWER", format}.

-- CONSTANTS STAGE_MARKS_KEPT
-- INCLUDE current-run
-- INCLUDE judge-cancel
local channel = redis.call('HMGET', KEYS[1], 'format', 'offset', 'attempt')
if channel[1] and tonumber(channel[1]) > tonumber(ARGV[1]) then return { 'NEWER', channel[1] } end
if channel[2] and ARGV[2] ~= '' and ARGV[2] ~= channel[3] then
  local past = redis.call('HGET', KEYS[1], 'past')
  for _, earlier in ipairs(past and cmsgpack.unpack(past) or {}) do
    if earlier == ARGV[2] then return { 'HEARD', 0 } end
  end
end
if channel[2] then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'heard', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
end
local kept = redis.call('GET', KEYS[2])
return { 'HEARD', kept and not cancel_is_over(kept, KEYS[1], tonumber(channel[2] or '0')) and 1 or 0 }
