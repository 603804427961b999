#!lua
-- Replaces who may watch, and tells those who watch.
-- KEYS  viewers    ARGV  deadline by the clock of this server (ms), viewers as JSON, time to live (ms), channel to publish on
-- Answers {"DECLARED"}, or {"LATE"} after the deadline, when nothing was done.

local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) >= tonumber(ARGV[1]) then return { 'LATE' } end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('PUBLISH', ARGV[4], 'v' .. ARGV[2])
return { 'DECLARED' }
