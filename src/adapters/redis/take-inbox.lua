#!lua flags=allow-oom
-- The oldest entries of the inbox for whoever holds the lease, which is taken or renewed on the way. With a full memory
-- as well: what was taken is deleted, which makes room.
-- KEYS  inbox, lease
-- ARGV  1 taker   2 lease (ms)   3 most entries   4 most bytes   5 largest event   6 bytes shown of what cannot be read
-- Answers {"ELSEWHERE", ms left of the lease} or {"LOT", {{id, "EVENT" | "LARGE" | "NONE", payload}, …}}.

local inbox, lease = KEYS[1], KEYS[2]
local holder = redis.pcall('GET', lease)
if type(holder) == 'string' and holder ~= ARGV[1] then
  local left = redis.call('PTTL', lease)
  -- A lease without an end is none of ours, and nothing may wait for it.
  if left >= 0 and left <= tonumber(ARGV[2]) then return { 'ELSEWHERE', left } end
end
redis.pcall('SET', lease, ARGV[1], 'PX', ARGV[2])

local function read(id, fields)
  local event, events = nil, 0
  for i = 1, #fields, 2 do
    if fields[i] == 'event' then event, events = fields[i + 1], events + 1 end
  end
  if events ~= 1 then return { id, 'NONE', string.sub(table.concat(fields, ' '), 1, tonumber(ARGV[6])) } end
  if #event > tonumber(ARGV[5]) then return { id, 'LARGE', string.sub(event, 1, tonumber(ARGV[6])) } end
  return { id, 'EVENT', event }
end

local STEP = 32
local lot, bytes, from = {}, 0, '-'
while true do
  local rows = redis.call('XRANGE', inbox, from, '+', 'COUNT', STEP)
  for _, row in ipairs(rows) do
    local entry = read(row[1], row[2])
    bytes = bytes + #entry[3]
    if #lot > 0 and bytes > tonumber(ARGV[4]) then return { 'LOT', lot } end
    lot[#lot + 1] = entry
    if #lot == tonumber(ARGV[3]) then return { 'LOT', lot } end
  end
  if #rows < STEP then return { 'LOT', lot } end
  from = '(' .. rows[#rows][1]
end
