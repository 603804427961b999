#!lua flags=allow-oom
-- Removes entries from the inbox, unless it was made anew since they were taken.
-- KEYS  inbox, incarnation    ARGV  1 incarnation that the entries were taken from, or ""   then their ids

local incarnation = redis.pcall('GET', KEYS[2])
incarnation = type(incarnation) == 'string' and string.match(incarnation, '^%d+$') or ''
if incarnation == ARGV[1] then redis.call('XDEL', KEYS[1], unpack(ARGV, 2)) end
