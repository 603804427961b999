#!lua flags=allow-oom
-- Publishes a mark to every gateway that listens. A replica refuses the script because it may write, and must: gateways
-- that listen on the primary would not hear a mark that a replica publishes.
-- ARGV  channel, a name that no other mark has

-- A server that the gateway may not ask for its name gets none: that tells no two servers apart, and harms nobody on one.
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'unknown'
local time = redis.call('TIME')
local at = string.format('%.0f', time[1] * 1000000 + time[2])
redis.call('PUBLISH', ARGV[1], 'mark ' .. string.sub(run, 1, 8) .. '.' .. at .. '.' .. ARGV[2])
return { 'MARKED' }
