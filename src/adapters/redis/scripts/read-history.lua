#!lua flags=no-writes
-- Judges a position and reads a page of the kept history, in one step.
-- KEYS  record, history
-- ARGV  1 newest format understood   2 "from", or "oldest" if no position was given
--       3 epoch and 4 offset of the position   5 most events and 6 most bytes of text to answer, at least one event
-- Answers {"HISTORY", 1 | 0 (resumed), epoch, offset of the newest, {{id, {flag, text}}, …}, offset of the oldest kept,
-- epochs, 1 | 0 (more is kept)} or {"NEWER", format}.
-- A position is good as `isOnHistory` of the domain says: between the one just before the oldest kept and the
-- newest, and of the epoch that numbered it.

local kept = redis.call('HMGET', KEYS[1], 'format', 'epoch', 'offset', 'epochs')
if kept[1] and tonumber(kept[1]) > tonumber(ARGV[1]) then
  return { 'NEWER', kept[1] }
end
local given, epoch, offset = ARGV[2] == 'from', ARGV[3], tonumber(ARGV[4])
if not kept[3] then
  return { 'HISTORY', (not given or offset == 0) and 1 or 0, '', 0, {}, 1, '', 0 }
end

local newest = tonumber(kept[3])
local oldest = newest - redis.call('XLEN', KEYS[2]) + 1
local resumed = not given
if given and offset == 0 then
  resumed = oldest <= 1
elseif given and offset <= newest and offset >= oldest - 1 then
  local its_epoch
  for span_epoch, first in string.gmatch(kept[4], '(%w+)@(%d+) ') do
    if tonumber(first) <= offset then its_epoch = span_epoch end
  end
  resumed = its_epoch == epoch
end
local start = '-'
if given and resumed then start = string.format('%.0f', offset + 1) end

-- Reads in steps, since an event that is read costs this server as much as one that is answered. A step never reads more
-- than would fit if all were as large as the largest so far, and at most a few.
local LARGEST_STEP = 8
local rows, most, left, largest, step = {}, tonumber(ARGV[5]), tonumber(ARGV[6]), 1, 1
local more = true
while more and #rows < most and (left >= largest or #rows == 0) do
  local read = redis.call('XRANGE', KEYS[2], start, '+', 'COUNT', math.min(step, most - #rows))
  more = #read > 0
  for _, row in ipairs(read) do
    local bytes = #row[2][2]
    left = left - bytes
    if left < 0 and #rows > 0 then break end
    rows[#rows + 1] = row
    largest = math.max(largest, bytes)
  end
  if more then start = '(' .. rows[#rows][1] end
  step = math.max(1, math.min(LARGEST_STEP, math.floor(left / largest)))
end
local last = rows[#rows]
more = last and tonumber(string.match(last[1], '^%d+')) < newest
return { 'HISTORY', resumed and 1 or 0, kept[2], newest, rows, oldest, kept[4], more and 1 or 0 }
