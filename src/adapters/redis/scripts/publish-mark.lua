#!lua flags=allow-oom
-- Publishes a mark to every gateway that listens. A script that may write is refused on a replica, and must be: there the
-- gateways that listen on the primary would not hear it.
-- ARGV  channel, a name that no other mark bears

-- A server that may not be asked for its name has none: that tells no two servers apart, and does no harm on one.
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'unknown'
local time = redis.call('TIME')
local at = string.format('%.0f', time[1] * 1000000 + time[2])
redis.call('PUBLISH', ARGV[1], 'mark ' .. string.sub(run, 1, 8) .. '.' .. at .. '.' .. ARGV[2])
return { 'MARKED' }
