#!lua flags=allow-oom
-- Answers the oldest entries of the inbox to the node that holds the lease, and takes or renews the lease for it. It runs
-- with a full memory too: entries that were taken are deleted later, which makes room.
-- KEYS  inbox, lease, incarnation
-- ARGV  1 taker   2 lease (ms)   3 most entries   4 most bytes   5 largest event   6 bytes shown of an entry that cannot be
--       read, from its beginning and from its end; a larger key is answered as that beginning and a hash of the whole
--       7 name of the field with the key
-- Answers {"ELSEWHERE", ms left of the lease} or {"BATCH", {{id, "EVENT" | "LARGE" | "NONE", payload, key or "", its end if it is longer}, …},
-- the incarnation of the inbox or ""}.

local inbox, lease = KEYS[1], KEYS[2]
local holder = redis.pcall('GET', lease)
if type(holder) == 'string' and holder ~= ARGV[1] then
  local left = redis.call('PTTL', lease)
  -- No gateway wrote a lease without an end, and none may wait for it.
  if left >= 0 and left <= tonumber(ARGV[2]) then return { 'ELSEWHERE', left } end
end
redis.pcall('SET', lease, ARGV[1], 'PX', ARGV[2])
local incarnation = redis.pcall('GET', KEYS[3])
incarnation = type(incarnation) == 'string' and string.match(incarnation, '^%d+$') or ''

-- Answers the beginning of an entry that cannot be read. It puts together no more than is shown.
local function shown(fields)
  local parts, left = {}, tonumber(ARGV[6])
  for _, field in ipairs(fields) do
    if left <= 0 then break end
    parts[#parts + 1] = string.sub(field, 1, left)
    left = left - #field - 1
  end
  return string.sub(table.concat(parts, ' '), 1, tonumber(ARGV[6]))
end

-- Answers the end of an entry that is longer than that; nil otherwise.
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
  local event, events, key = nil, 0, ''
  for i = 1, #fields, 2 do
    if fields[i] == 'event' then event, events = fields[i + 1], events + 1 end
    if fields[i] == ARGV[7] then key = fields[i + 1] end
  end
  -- Nobody limits the size of a key either.
  if #key > tonumber(ARGV[6]) then key = string.sub(key, 1, tonumber(ARGV[6])) .. redis.sha1hex(key) end
  if events ~= 1 then return { id, 'NONE', shown(fields), key, tail(fields) } end
  if #event > tonumber(ARGV[5]) then return { id, 'LARGE', shown({ event }), key, tail({ event }) } end
  return { id, 'EVENT', event, key }
end

-- An entry that is read costs this server as much as one that is answered, and nobody limits the size of an entry. So the
-- first step reads one. The next never read more than would fit if all were as large as the largest so far, and at most a
-- few. Each entry that is read counts, whether it is answered or not.
local LARGEST_STEP = 16
-- Redis refuses a range that begins after the largest id.
local LARGEST_ID = '18446744073709551615-18446744073709551615'
local batch, left, largest, step, from = {}, tonumber(ARGV[4]), 1, 1, '-'
while true do
  local rows = redis.call('XRANGE', inbox, from, '+', 'COUNT', step)
  for _, row in ipairs(rows) do
    local bytes = 0
    for _, field in ipairs(row[2]) do bytes = bytes + #field end
    left, largest = left - bytes, math.max(largest, bytes)
    if #batch > 0 and left < 0 then return { 'BATCH', batch, incarnation } end
    batch[#batch + 1] = read(row[1], row[2])
    if #batch == tonumber(ARGV[3]) then return { 'BATCH', batch, incarnation } end
  end
  local last = #rows > 0 and rows[#rows][1]
  if #rows < step or left < largest or last == LARGEST_ID then return { 'BATCH', batch, incarnation } end
  from = '(' .. last
  step = math.min(LARGEST_STEP, math.floor(left / largest))
end
