#!lua flags=allow-oom
-- The oldest entries of the inbox for whoever holds the lease, which is taken or renewed on the way. With a full memory
-- as well: what was taken is deleted, which makes room.
-- KEYS  inbox, lease
-- ARGV  1 taker   2 lease (ms)   3 most entries   4 most bytes   5 largest event   6 bytes shown of what cannot be read, of its
--       beginning and of its end
-- Answers {"ELSEWHERE", ms left of the lease} or {"LOT", {{id, "EVENT" | "LARGE" | "NONE", payload, end of what is longer}, …}}.

local inbox, lease = KEYS[1], KEYS[2]
local holder = redis.pcall('GET', lease)
if type(holder) == 'string' and holder ~= ARGV[1] then
  local left = redis.call('PTTL', lease)
  -- A lease without an end is none of ours, and nothing may wait for it.
  if left >= 0 and left <= tonumber(ARGV[2]) then return { 'ELSEWHERE', left } end
end
redis.pcall('SET', lease, ARGV[1], 'PX', ARGV[2])

-- The beginning of what cannot be read: no more of it is put together than is shown.
local function shown(fields)
  local parts, left = {}, tonumber(ARGV[6])
  for _, field in ipairs(fields) do
    if left <= 0 then break end
    parts[#parts + 1] = string.sub(field, 1, left)
    left = left - #field - 1
  end
  return string.sub(table.concat(parts, ' '), 1, tonumber(ARGV[6]))
end

-- The end of what is longer than that; nothing otherwise.
local function tail(fields)
  local total = #fields - 1
  for _, field in ipairs(fields) do total = total + #field end
  if total <= tonumber(ARGV[6]) then return nil end
  local last, left = {}, tonumber(ARGV[6])
  for i = #fields, 1, -1 do
    if left <= 0 then break end
    last[#last + 1] = string.sub(fields[i], -left)
    left = left - #fields[i] - 1
  end
  local parts = {}
  for i = #last, 1, -1 do parts[#parts + 1] = last[i] end
  return string.sub(table.concat(parts, ' '), -tonumber(ARGV[6]))
end

local function read(id, fields)
  local event, events = nil, 0
  for i = 1, #fields, 2 do
    if fields[i] == 'event' then event, events = fields[i + 1], events + 1 end
  end
  if events ~= 1 then return { id, 'NONE', shown(fields), tail(fields) } end
  if #event > tonumber(ARGV[5]) then return { id, 'LARGE', shown({ event }), tail({ event }) } end
  return { id, 'EVENT', event }
end

-- What is read costs this server as much as what is answered, and nobody limits what a worker adds. So the first is
-- read alone, then never more at once than would fit if all were as large as the largest so far, and a few where they
-- are small. What is read counts, be it answered or not.
local LARGEST_STEP = 16
local lot, left, largest, step, from = {}, tonumber(ARGV[4]), 1, 1, '-'
while true do
  local rows = redis.call('XRANGE', inbox, from, '+', 'COUNT', step)
  for _, row in ipairs(rows) do
    local bytes = 0
    for _, field in ipairs(row[2]) do bytes = bytes + #field end
    left, largest = left - bytes, math.max(largest, bytes)
    if #lot > 0 and left < 0 then return { 'LOT', lot } end
    lot[#lot + 1] = read(row[1], row[2])
    if #lot == tonumber(ARGV[3]) then return { 'LOT', lot } end
  end
  if #rows < step or left < largest then return { 'LOT', lot } end
  from = '(' .. rows[#rows][1]
  step = math.min(LARGEST_STEP, math.floor(left / largest))
end
