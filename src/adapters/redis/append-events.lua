#!lua
-- Numbers, keeps and publishes the events of one request: all or none, in one step.
--
-- Everything is looked at before the first write. The interpreter line makes Redis refuse the whole script
-- when its memory is full, so nothing is ever half-written.
--
-- KEYS  record, history, viewers
-- ARGV  1 newest format understood   2 birth, 3 epoch: names to use where new ones are needed
--       4 events to keep             5 time to live (ms)            6 channel to publish on
--       7 how it is known again: "" (not at all), "channel", "notices" or "entry"
--       8 prefix, 9 rest of the key under which it is remembered; for an entry 9 is its id
--      10 window (ms)               11 remembered for (ms)
--      then five for each event: flag, stage or "", timestamp, attempt or "", members
--
-- Answers {"STORED" | "DUPLICATE", epoch, first offset, count}, {"REFUSED", code, index from 0} or {"NEWER", format}.
-- Flags: s status, c stage completed, f stage failed, t result, e error, n notice; in capitals: it reopens.

local record, history, viewers = KEYS[1], KEYS[2], KEYS[3]
local FIRST, WIDTH = 12, 5
local count = (#ARGV - FIRST + 1) / WIDTH
local STAGE_MARKS_KEPT, PAST_ATTEMPTS_KEPT = 200, 1000
local TERMINAL = { t = true, e = true, f = true }
local STATUS = { s = true, c = true, f = true }
-- The one kind that may follow an attempt's terminal event.
local MAY_FOLLOW = { t = 'c', e = 'f', f = 'e' }

local function int(number)
  return string.format('%.0f', number)
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local kept = redis.call('HMGET', record, 'format', 'birth', 'epoch', 'line', 'offset', 'epochs', 'attempt', 'outcome', 'stage', 'entry')
local format, birth, epoch, line = kept[1], kept[2], kept[3], kept[4]
local attempt, outcome, stage = kept[7], kept[8] ~= '' and kept[8], kept[9]
if format and tonumber(format) > tonumber(ARGV[1]) then
  return { 'NEWER', format }
end

-- Without its counter nothing of a channel can be trusted; the stream would refuse the offsets that start again.
local offset = kept[5] and tonumber(kept[5])
local is_new = not offset
if is_new then
  offset, birth, epoch, line, attempt, outcome, stage = 0, ARGV[2], nil, nil, false, false, false
end

-- Ids are two numbers without leading zeros, either of which may be beyond what a Lua number holds.
local function is_beyond(id, other)
  local time, sequence = string.match(id, '^(%d+)-(%d+)$')
  local other_time, other_sequence = string.match(other, '^(%d+)-(%d+)$')
  if time == other_time then time, other_time = sequence, other_sequence end
  if #time ~= #other_time then return #time > #other_time end
  return time > other_time
end

local entry = ARGV[7] == 'entry' and ARGV[9]
if entry and not is_new and kept[10] then
  local last, its_epoch, first, stored = string.match(kept[10], '^(%S+) (%w+) (%d+) (%d+)$')
  if not is_beyond(entry, last) then
    redis.call('HSET', record, 'heard', int(now))
    return { 'DUPLICATE', its_epoch, tonumber(first), tonumber(stored) }
  end
end

local seen_key = ARGV[7] ~= '' and not entry and ARGV[8] .. (ARGV[7] == 'channel' and birth .. ':' or '') .. ARGV[9]
if seen_key then
  local seen = redis.call('GET', seen_key)
  if seen then
    local seen_epoch, first, stored, at = string.match(seen, '^(%w+) (%d+) (%d+) (%d+)$')
    if now - tonumber(at) <= tonumber(ARGV[10]) then
      if not is_new then redis.call('HSET', record, 'heard', int(now)) end
      return { 'DUPLICATE', seen_epoch, tonumber(first), tonumber(stored) }
    end
  end
end

-- The line of the data changes with every restart and promotion: what came before may have forked.
local line_now = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or 'unknown'
local spans = (not is_new) and kept[6] or ''
local new_epoch = line ~= line_now
if new_epoch then
  epoch = ARGV[3]
  spans = spans .. epoch .. '@' .. int(offset + 1) .. ' '
end

-- May these events follow what there is? Decided for all of them before anything is written.
local standing = (not is_new) and redis.call('HEXISTS', record, 'terminal') == 1
local past, is_past
local function superseded(name)
  if not past then
    local packed = (not is_new) and redis.call('HGET', record, 'past')
    past, is_past = packed and cmsgpack.unpack(packed) or {}, {}
    for _, earlier in ipairs(past) do is_past[earlier] = true end
  end
  return is_past[name]
end

local attempts_changed = false
local reopens = {}
for i = 0, count - 1 do
  local at = FIRST + i * WIDTH
  local flag, name = ARGV[at], ARGV[at + 3]
  local begins = false
  if name ~= '' then
    begins = name ~= attempt
    if begins and superseded(name) then return { 'REFUSED', 'attempt_superseded', i } end
    if not begins and outcome and MAY_FOLLOW[outcome] ~= flag then return { 'REFUSED', 'attempt_ended', i } end
    if begins then
      if attempt then
        past[#past + 1] = attempt
        is_past[attempt] = true
        if #past > PAST_ATTEMPTS_KEPT then is_past[table.remove(past, 1)] = nil end
      end
      attempt, outcome, attempts_changed = name, false, true
    end
    if TERMINAL[flag] then outcome, attempts_changed = flag, true end
  end
  reopens[i] = (begins and offset + i > 0) or (standing and flag == 's')
  standing = TERMINAL[flag] or (standing and not reopens[i])
end

-- From here on it is written.
if is_new then redis.call('DEL', record, history) end
local first = offset + 1
local messages = {}
local status, terminal, restarted = nil, nil, false
local marks, marks_changed = nil, false
for i = 0, count - 1 do
  local at = FIRST + i * WIDTH
  local flag, event_stage = ARGV[at], ARGV[at + 1]
  local shown = reopens[i] and string.upper(flag) or flag
  offset = offset + 1
  local text = '{"event_id":"' .. epoch .. '-' .. int(offset) .. '",' .. ARGV[at + 4]
  redis.call('XADD', history, int(offset) .. '-0', shown, text)
  local message = shown .. text
  messages[i + 1] = message
  if reopens[i] then
    terminal, restarted = nil, true
    marks, stage, marks_changed = '', false, true
  end
  if STATUS[flag] then status = message end
  if TERMINAL[flag] then terminal = message end
  if event_stage ~= '' and event_stage ~= stage then
    marks = marks or redis.call('HGET', record, 'stages') or ''
    local _, lines = string.gsub(marks, '\n', '\n')
    if lines >= STAGE_MARKS_KEPT then marks = string.sub(marks, string.find(marks, '\n', 1, true) + 1) end
    marks = marks .. event_stage .. ' ' .. ARGV[at + 2] .. ' ' .. int(offset) .. '\n'
    stage, marks_changed = event_stage, true
  end
end

local size = tonumber(ARGV[4])
local length = redis.call('XLEN', history)
-- In lots, because trimming one event at a time costs more than the event.
if length > size + math.min(size, 200) then
  redis.call('XTRIM', history, 'MINID', int(offset - size + 1))
  length = size
end
local spans_kept = ''
local held_epoch, held_first
-- The span of the event just before the oldest kept is still needed: a position there is good.
for span_epoch, span_first in string.gmatch(spans, '(%w+)@(%d+) ') do
  if held_epoch and tonumber(span_first) > offset - length then
    spans_kept = spans_kept .. held_epoch .. '@' .. held_first .. ' '
  end
  held_epoch, held_first = span_epoch, span_first
end
spans_kept = spans_kept .. held_epoch .. '@' .. held_first .. ' '

local fields = { 'offset', int(offset), 'heard', int(now) }
local function set(name, value)
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end
if is_new then
  set('format', ARGV[1])
  set('birth', birth)
end
if new_epoch then
  set('epoch', epoch)
  set('line', line_now)
end
if spans_kept ~= kept[6] then set('epochs', spans_kept) end
if status then set('status', status) end
if terminal then set('terminal', terminal) end
if marks_changed then
  set('stages', marks)
  set('stage', stage or '')
end
if attempts_changed then
  set('attempt', attempt)
  set('outcome', outcome or '')
  if past then set('past', cmsgpack.pack(past)) end
end
if entry then set('entry', entry .. ' ' .. epoch .. ' ' .. int(first) .. ' ' .. int(count)) end
redis.call('HSET', record, unpack(fields))
if restarted and not terminal then redis.call('HDEL', record, 'terminal') end
if seen_key then
  local value = epoch .. ' ' .. int(first) .. ' ' .. int(count) .. ' ' .. int(now)
  redis.call('SET', seen_key, value, 'PX', ARGV[11])
end
redis.call('PEXPIRE', record, ARGV[5])
redis.call('PEXPIRE', history, ARGV[5])
redis.call('PEXPIRE', viewers, ARGV[5])
for i = 1, count do
  redis.call('PUBLISH', ARGV[6], messages[i])
end
return { 'STORED', epoch, first, count }
