#!lua flags=no-writes
-- Tells how long the inbox is, and since when its oldest entry waits.
-- KEYS  inbox    Answers {now (ms), entries, id of the oldest or ""}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
return { now, redis.call('XLEN', KEYS[1]), head[1] and head[1][1] or '' }
