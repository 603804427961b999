#!lua
-- Keeps a message that cannot be delivered, once however many gateways heard it.
-- KEYS  the stream, what remembers this message    ARGV  channel, payload, reason, at, most entries, window (ms)

if redis.call('EXISTS', KEYS[2]) == 1 then return { 'SEEN' } end
local letter = { 'channel', ARGV[1], 'payload', ARGV[2], 'reason', ARGV[3], 'at', ARGV[4] }
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[5], '*', unpack(letter))
redis.call('SET', KEYS[2], '1', 'PX', ARGV[6])
return { 'KEPT' }
