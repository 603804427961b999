#!lua flags=no-writes
-- Tells how long the inbox is, and since when its oldest entry waits.
-- KEYS  inbox, incarnation    Answers {now (ms), entries, id of the oldest or "", incarnation or "", 1 if an entry has the
-- largest id, else 0}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
local incarnation = redis.pcall('GET', KEYS[2])
incarnation = type(incarnation) == 'string' and string.match(incarnation, '^%d+$') or ''
local LARGEST_ID = '18446744073709551615-18446744073709551615'
local last = redis.call('XRANGE', KEYS[1], LARGEST_ID, LARGEST_ID)
return { now, redis.call('XLEN', KEYS[1]), head[1] and head[1][1] or '', incarnation, #last }
