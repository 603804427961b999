#!lua
-- Changes the index of analyses that may be running.
-- KEYS  index
-- ARGV  "put", channel, when it is due (ms), most analyses
--       "settle", channel, when it was due (ms), when it is due or "" to take it out
-- Answers {"INDEXED", 1 | 0 (the index is full)}. "settle" does nothing if the analysis is due at another time by now.

local index, channel = KEYS[1], ARGV[2]
if ARGV[1] == 'put' then
  local is_new = not redis.call('ZSCORE', index, channel)
  if is_new and redis.call('ZCARD', index) >= tonumber(ARGV[4]) then return { 'INDEXED', 0 } end
  redis.call('ZADD', index, ARGV[3], channel)
elseif tonumber(redis.call('ZSCORE', index, channel) or 'nan') == tonumber(ARGV[3]) then
  if ARGV[4] == '' then redis.call('ZREM', index, channel) else redis.call('ZADD', index, ARGV[4], channel) end
end
return { 'INDEXED', 1 }
