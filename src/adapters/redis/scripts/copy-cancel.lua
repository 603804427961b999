#!lua
-- Sets, keeps or removes the copy of a request to cancel that lies in another slot than the channel. "settle" notes beside the
-- channel that the copy of a request that is over was removed.
-- KEYS  copy, or the request for "settle"    ARGV  1 "set", "keep", "drop" or "settle"   2 the value   3 time to live (ms)
-- They do nothing if the key has another value by now. Answers {"COPIED", 1 | 0 (it had another value)}.

if ARGV[1] == 'settle' then
  local after, request = string.match(redis.call('GET', KEYS[1]) or '', '^%-(%d*) (.*)$')
  if request ~= ARGV[2] then return { 'COPIED', 0 } end
  -- A gateway of a release before wrote no place.
  if after == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], '=' .. after .. ' ' .. request, 'KEEPTTL') end
elseif ARGV[1] == 'set' then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
elseif redis.call('GET', KEYS[1]) == ARGV[2] then
  if ARGV[1] == 'keep' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) else redis.call('DEL', KEYS[1]) end
else
  return { 'COPIED', 0 }
end
return { 'COPIED', 1 }
