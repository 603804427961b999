#!lua
-- Replaces the list of viewers and publishes it.
-- KEYS  1 viewers
-- ARGV  1 deadline by the clock of this server (ms)   2 viewers as JSON   3 time to live (ms)   4 channel to publish on
-- Answers {"DECLARED"}. Answers {"LATE"} after the deadline: then the script did nothing.

-- CONSTANTS VIEWERS_FLAG
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) >= tonumber(ARGV[1]) then return { 'LATE' } end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('PUBLISH', ARGV[4], VIEWERS_FLAG .. ARGV[2])
return { 'DECLARED' }
