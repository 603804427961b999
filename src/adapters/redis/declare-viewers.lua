#!lua
-- Replaces who may watch, and tells those who watch.
-- KEYS  viewers    ARGV  viewers as JSON, time to live (ms), channel to publish on

redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], 'v' .. ARGV[1])
return { 'DECLARED' }
