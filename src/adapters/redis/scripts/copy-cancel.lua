#!lua
-- Sets, keeps or removes the copy of a request to cancel that lies in another slot than the channel.
-- KEYS  copy    ARGV  1 "set", "keep" or "drop"   2 the value   3 time to live (ms)
-- "keep" and "drop" do nothing if the key has another value by now. Answers {"COPIED", 1 | 0 (it had another value)}.

if ARGV[1] == 'set' then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
elseif redis.call('GET', KEYS[1]) == ARGV[2] then
  if ARGV[1] == 'keep' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) else redis.call('DEL', KEYS[1]) end
else
  return { 'COPIED', 0 }
end
return { 'COPIED', 1 }
