#!lua flags=no-writes
-- Reads the analyses of the index that are due, the longest due first.
-- KEYS  index    ARGV  1 now (ms)   2 most to answer
-- Answers {"RUNNING", channel, when it was due, channel, …}.

local rows = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
table.insert(rows, 1, 'RUNNING')
return rows
