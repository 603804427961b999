#!lua
-- Numbers, keeps and publishes what one gateway appends to one channel in one call: a list of requests, taken in
-- order, each of them all or none, all of them in one step.
--
-- The interpreter line makes Redis refuse the whole script when its memory is full, and of each request everything is
-- looked at before its first write: nothing is ever half-written, and no request overtakes one that failed.
--
-- KEYS  record, history, viewers
-- ARGV  1 newest format understood   2 deadline by the clock of this server (ms)
--       3 gateway, 4 number of its call, by which it is known when it comes twice; 3 is "" where every request is known
--         by itself. A call comes to this channel only once those with lower numbers are answered or late
--       5 birth, 6 epoch: names to use where new ones are needed
--       7 events to keep             8 time to live (ms)            9 channel to publish on
--      then for each request
--       1 how it is known again: "", "channel", "notices", "entry" or "content before listener reach age retry remember" (ms)
--       2 prefix, 3 rest of the key under which it is remembered; for an entry 3 is its id
--       4 window (ms), for a content its stretch, a line break before it and a blank after it
--       5 remembered for (ms), for a content its number              6 number of its events
--      and five for each event: flag, stage or "", timestamp, attempt or "", members
--
-- Answers {"APPENDED", for each request {"STORED" | "DUPLICATE", epoch, first offset, count} or
-- {"REFUSED", code, index from 0}}; {"LATE"} after the deadline, {"REPEATED"} where this very call was carried out
-- before, {"NEWER", format}: then nothing was done.
-- Flags: s status, c stage completed, f stage failed, t result, e error, n notice; in capitals: it reopens.

local record, history, viewers = KEYS[1], KEYS[2], KEYS[3]
local FIRST, HEAD, WIDTH = 10, 6, 5
local STAGE_MARKS_KEPT, PAST_ATTEMPTS_KEPT = 200, 1000
local TERMINAL = { t = true, e = true, f = true }
local STATUS = { s = true, c = true, f = true }
-- The one kind that may follow an attempt's terminal event.
local MAY_FOLLOW = { t = 'c', e = 'f', f = 'e' }

local call = redis.call
local function int(number) return string.format('%.0f', number) end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = int(now)
-- First of all: whoever sent this has been told by now that it will not be carried out.
if now >= tonumber(ARGV[2]) then return { 'LATE' } end

local kept = call('HMGET', record, 'format', 'birth', 'epoch', 'line', 'offset', 'epochs', 'attempt', 'outcome', 'stage', 'entry', 'calls', 'bare')
local format, birth, epoch, line, spans = kept[1], kept[2], kept[3], kept[4], kept[6]
local attempt, outcome, stage, last_entry = kept[7], kept[8] ~= '' and kept[8], kept[9], kept[10]
if format and tonumber(format) > tonumber(ARGV[1]) then return { 'NEWER', format } end

-- Without its counter nothing of a channel can be trusted; the stream would refuse the offsets that start again.
local offset = kept[5] and tonumber(kept[5])
local is_new = not offset
if is_new then
  offset, birth, epoch, line, spans = 0, ARGV[5], nil, nil, ''
  attempt, outcome, stage, last_entry = false, false, false, false
end
-- The last events that workers published bare, with nothing else between them.
local bare_from, bare_to = 1, 0
if kept[12] and not is_new then
  bare_from, bare_to = string.match(kept[12], '^(%d+) (%d+)$')
  bare_from, bare_to = tonumber(bare_from), tonumber(bare_to)
end

-- The last call of each gateway, for as long as it could come a second time.
local calls = ARGV[3] ~= '' and ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[2] .. ' '
if calls and kept[11] and not is_new then
  for gateway, number, deadline in string.gmatch(kept[11], '(%w+) (%d+) (%d+) ') do
    if gateway ~= ARGV[3] then
      if tonumber(deadline) > now then calls = calls .. gateway .. ' ' .. number .. ' ' .. deadline .. ' ' end
    elseif tonumber(number) >= tonumber(ARGV[4]) then
      return { 'REPEATED' }
    end
  end
end

-- INCLUDE seen-before

local line_now, standing, past, is_past
local begun, new_epoch = false, false

-- May these events follow what there is? Answers which of them reopen, or the refusal; changes nothing where it refuses.
local attempts_changed = false
local function admit(at, count)
  local reopens, ended = {}, nil
  local is_current, is_outcome, is_standing, changed = attempt, outcome, standing, false
  for i = 0, count - 1 do
    local flag, name = ARGV[at + i * WIDTH], ARGV[at + i * WIDTH + 3]
    local begins = false
    if name ~= '' then
      begins = name ~= is_current
      if begins then
        if not past then
          local packed = (not is_new) and call('HGET', record, 'past')
          past, is_past = packed and cmsgpack.unpack(packed) or {}, {}
          for _, earlier in ipairs(past) do is_past[earlier] = true end
        end
        if is_past[name] or (ended and ended[name]) then return nil, { 'REFUSED', 'attempt_superseded', i } end
        if is_current then
          ended = ended or {}
          ended[#ended + 1] = is_current
          ended[is_current] = true
        end
        is_current, is_outcome, changed = name, false, true
      elseif is_outcome and MAY_FOLLOW[is_outcome] ~= flag then
        return nil, { 'REFUSED', 'attempt_ended', i }
      end
      if TERMINAL[flag] then is_outcome, changed = flag, true end
    end
    reopens[i] = (begins and offset + i > 0) or (is_standing and flag == 's')
    is_standing = TERMINAL[flag] or (is_standing and not reopens[i])
  end
  attempt, outcome, standing = is_current, is_outcome, is_standing
  attempts_changed = attempts_changed or changed
  for _, name in ipairs(ended or {}) do
    past[#past + 1] = name
    is_past[name] = true
    if #past > PAST_ATTEMPTS_KEPT then is_past[table.remove(past, 1)] = nil end
  end
  return reopens
end

local messages = {}
-- What the record gets; `terminal` is false where the one that stood is gone.
local status, terminal
local marks, marks_changed = nil, false
local function write(at, count, reopens)
  for i = 0, count - 1 do
    local of = at + i * WIDTH
    local flag, event_stage = ARGV[of], ARGV[of + 1]
    local shown = reopens[i] and string.upper(flag) or flag
    offset = offset + 1
    local text = '{"event_id":"' .. epoch .. '-' .. int(offset) .. '",' .. ARGV[of + 4]
    call('XADD', history, int(offset) .. '-0', shown, text)
    local message = shown .. text
    messages[#messages + 1] = message
    if reopens[i] then
      terminal = false
      marks, stage, marks_changed = '', false, true
    end
    if STATUS[flag] then status = message end
    if TERMINAL[flag] then terminal = message end
    if event_stage ~= '' and event_stage ~= stage then
      marks = marks or call('HGET', record, 'stages') or ''
      local _, lines = string.gsub(marks, '\n', '\n')
      if lines >= STAGE_MARKS_KEPT then marks = string.sub(marks, string.find(marks, '\n', 1, true) + 1) end
      marks = marks .. event_stage .. ' ' .. ARGV[of + 2] .. ' ' .. int(offset) .. '\n'
      stage, marks_changed = event_stage, true
    end
  end
end

local size = tonumber(ARGV[7])
-- What the history holds once it was trimmed.
local length, trims = 0, false
local entry_changed, bare_changed = false, false
local function append(at)
  local answer, seen_key, content, heard = seen_before(at, offset)
  if answer then return answer end
  if not line_now then
    -- The line of the data changes with every restart and promotion: what came before may have forked.
    line_now = string.match(call('INFO', 'replication'), 'master_replid:(%w+)') or 'unknown'
    standing = (not is_new) and call('HEXISTS', record, 'terminal') == 1
  end
  local count = tonumber(ARGV[at + 5])
  local reopens, refusal = admit(at + HEAD, count)
  if refusal then
    if is_content(at) then
      remember_judged(seen_key, content, heard or heard_at(at), { refusal = refusal[2] .. ':' .. refusal[3] })
    end
    return refusal
  end
  if not begun then
    begun = true
    -- One command a line: where Redis refuses one, it names the line.
    if is_new then
      call('DEL', record, history)
    else
      length = call('XLEN', history)
    end
    new_epoch = line ~= line_now
    if new_epoch then
      epoch = ARGV[6]
      spans = spans .. epoch .. '@' .. int(offset + 1) .. ' '
    end
  end
  local first = offset + 1
  write(at + HEAD, count, reopens)
  length = length + count
  -- In lots, because trimming one event at a time costs more than the event.
  if length > size + math.min(size, 200) then length, trims = size, true end
  local place = epoch .. ' ' .. int(first) .. ' ' .. int(count)
  if ARGV[at] == 'entry' then
    last_entry, entry_changed = ARGV[at + 2] .. ' ' .. place, true
  elseif is_content(at) then
    if bare_to ~= first - 1 then bare_from = first end
    bare_to, bare_changed = offset, true
    local stored = place .. ' ' .. now_text .. ' ' .. string.sub(ARGV[at + 3], 2, -2)
    if content then remember_judged(seen_key, content, heard, { place = stored }) else remember_first(seen_key, at, stored) end
  elseif seen_key then
    call('SET', seen_key, place .. ' ' .. now_text, 'PX', ARGV[at + 4])
  end
  return { 'STORED', epoch, first, count }
end

local answers = { 'APPENDED' }
local heard = false
local at = FIRST
while at <= #ARGV do
  local answer = append(at)
  answers[#answers + 1] = answer
  heard = heard or answer[1] ~= 'REFUSED'
  at = at + HEAD + ARGV[at + 5] * WIDTH
end

if not begun then
  if heard and not is_new then call('HSET', record, 'heard', now_text) end
  return answers
end

if trims then call('XTRIM', history, 'MINID', int(offset - length + 1)) end
-- The span of the event just before the oldest kept is still needed: a position there is good.
local second = string.find(spans, ' ', 1, true) + 1
while second <= #spans and tonumber(string.match(spans, '@(%d+) ', second)) <= offset - length do
  spans = string.sub(spans, second)
  second = string.find(spans, ' ', 1, true) + 1
end

local fields = { 'offset', int(offset), 'heard', now_text }
local function set(name, value)
  fields[#fields + 1], fields[#fields + 2] = name, value
end
if calls then set('calls', calls) end
if is_new then set('format', ARGV[1]) set('birth', birth) end
if new_epoch then set('epoch', epoch) set('line', line_now) end
if spans ~= kept[6] then set('epochs', spans) end
if status then set('status', status) end
if terminal then set('terminal', terminal) end
if marks_changed then set('stages', marks) set('stage', stage or '') end
if attempts_changed then
  set('attempt', attempt)
  set('outcome', outcome or '')
  if past then set('past', cmsgpack.pack(past)) end
end
if entry_changed then set('entry', last_entry) end
if bare_changed then set('bare', int(bare_from) .. ' ' .. int(bare_to)) end
call('HSET', record, unpack(fields))
if terminal == false then call('HDEL', record, 'terminal') end
call('PEXPIRE', record, ARGV[8])
call('PEXPIRE', history, ARGV[8])
call('PEXPIRE', viewers, ARGV[8])
for _, message in ipairs(messages) do call('PUBLISH', ARGV[9], message) end
return answers
