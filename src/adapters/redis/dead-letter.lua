#!lua
-- Keeps a message that cannot be delivered, once however many gateways report it.
-- KEYS  the stream, what remembers this message
-- ARGV  channel, payload, reason, at, most entries, window (ms), remembered for (ms)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = redis.call('GET', KEYS[2])
if seen and now - tonumber(seen) <= tonumber(ARGV[6]) then return { 'SEEN' } end
local letter = { 'channel', ARGV[1], 'payload', ARGV[2], 'reason', ARGV[3], 'at', ARGV[4] }
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[5], '*', unpack(letter))
redis.call('SET', KEYS[2], string.format('%.0f', now), 'PX', ARGV[7])
return { 'KEPT' }
