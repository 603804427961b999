#!lua flags=allow-oom
-- Removes a dead letter, from the books too.
-- KEYS  the stream, books, then the streams of the kinds, as in keep-dead-letter.lua    ARGV  id
-- Answers how many it removed: 1 or 0.

for kind = 1, #KEYS - 2 do
  local row = redis.call('XRANGE', KEYS[2 + kind], ARGV[1], ARGV[1])[1]
  if row then
    redis.call('XDEL', KEYS[2 + kind], ARGV[1])
    redis.call('HINCRBY', KEYS[2], kind, -tonumber(row[2][2]))
    redis.call('HINCRBY', KEYS[2], 'all', -tonumber(row[2][2]))
  end
end
return redis.call('XDEL', KEYS[1], ARGV[1])
