#!lua
-- Keeps a message that cannot be delivered, once however many gateways report it. If there are too many dead letters,
-- the script removes the oldest of the kind that has the most.
-- KEYS  1 the stream   2 the key that remembers this message   3 books: bytes of each kind, and of all
--       then for each kind a stream of its own with the ids of its dead letters, and the bytes of each
-- ARGV  1 channel   2 payload   3 reason   4 at   5 most entries   6 most bytes   7 window (ms)   8 remembered for (ms)
--       9 kind: which of those streams, from 1
-- A dead letter that is not in the books costs a look and nothing else: an earlier version kept it, or somebody removed it
-- by hand.

local stream, seen_key, books = KEYS[1], KEYS[2], KEYS[3]
local BEFORE_KINDS = 3
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = call('GET', seen_key)
if seen and now - tonumber(seen) <= tonumber(ARGV[7]) then return { 'SEEN' } end

local length = call('XLEN', stream)
-- Somebody emptied it by hand: the books are about dead letters that are gone.
if length == 0 then
  for key = BEFORE_KINDS, #KEYS do call('DEL', KEYS[key]) end
end
local id = call('XADD', stream, '*', 'channel', ARGV[1], 'payload', ARGV[2], 'reason', ARGV[3], 'at', ARGV[4])
length = length + 1
local bytes = #ARGV[1] + #ARGV[2] + #ARGV[3] + #ARGV[4]
call('XADD', KEYS[BEFORE_KINDS + ARGV[9]], id, 'bytes', bytes)
call('HINCRBY', books, ARGV[9], bytes)
local size = call('HINCRBY', books, 'all', bytes)
call('SET', seen_key, string.format('%.0f', now), 'PX', ARGV[8])
if length <= tonumber(ARGV[5]) and size <= tonumber(ARGV[6]) then return { 'KEPT' } end

local counts, sizes, booked = {}, {}, 0
for kind = 1, #KEYS - BEFORE_KINDS do
  counts[kind] = call('XLEN', KEYS[BEFORE_KINDS + kind])
  sizes[kind] = tonumber(call('HGET', books, kind) or 0)
  booked = booked + counts[kind]
end

local function drop_oldest(of)
  local kind = 1
  for other = 2, #of do
    if of[other] > of[kind] then kind = other end
  end
  local index = KEYS[BEFORE_KINDS + kind]
  local oldest = call('XRANGE', index, '-', '+', 'COUNT', 1)[1]
  local its = oldest and tonumber(oldest[2][2]) or sizes[kind]
  if oldest then
    call('XDEL', index, oldest[1])
    length = length - call('XDEL', stream, oldest[1])
    counts[kind], booked = counts[kind] - 1, booked - 1
  end
  sizes[kind] = sizes[kind] - its
  call('HINCRBY', books, kind, -its)
  size = call('HINCRBY', books, 'all', -its)
  return oldest
end

while length > tonumber(ARGV[5]) do
  if booked < length then length = length - call('XTRIM', stream, 'MAXLEN', length - 1)
  else drop_oldest(counts) end
end
while size > tonumber(ARGV[6]) and drop_oldest(sizes) do end
return { 'KEPT' }
