#!lua
-- Numbers, keeps and publishes the events that one gateway appends to one channel in one call.
-- The call holds a list of requests. The script carries them out in order, each of them all or none, all in one step.
-- Nothing is ever half-written: of each request the script checks everything before its first write, and the interpreter
-- line makes Redis refuse the whole script if its memory is full. No request overtakes one that failed.
--
-- KEYS  1 record   2 history   3 viewers   4 cancel   then the deduplication keys of the requests, in the slot of the others
-- ARGV  1 newest format that the gateway understands
--       2 deadline by the clock of this server (ms)
--       3 gateway and 4 number of its call, by which the script recognises a call that comes twice; 3 is "" if every request
--         has a deduplication key. A gateway sends a call only once those with lower numbers are answered or late
--       5 incarnation and 6 epoch: names for the script to use if it needs new ones
--       7 events that the history holds after it was trimmed    8 events that it holds at most
--       9 time to live (ms)    10 channel to publish on    11 key of the copy of a request to cancel
--      then for each request five
--       1 how the script recognises it: "", "channel", "notices", "entry" or
--         "content before listener reach age retry remember" (ms)
--       2 number of its deduplication key in KEYS; of an entry its id
--       3 window (ms); of a content its stretch, between a line break and a blank; of an entry with a key "number in KEYS window"
--       4 how long it is remembered (ms); of a content its number              5 number of its events
--      and for each event five: flag, stage or "", timestamp, attempt or "", members
--
-- Answers {"APPENDED", state of the request to cancel, for each request {"STORED" | "DUPLICATE", epoch, first offset, count}
-- or {"REFUSED", code, index from 0}}. Answers {"LATE"} after the deadline, {"REPEATED"} if this very call was carried out before, and {"NEWER",
-- format}: then the script did nothing.
-- Flags: s status, c stage completed, f failed, x cancelled (stored as f), t result_update, d result (stored as t), e error,
-- n notice. A capital: the event reopens. Formats: in 1 the names of deduplication keys hold the incarnation, in 2 their values.
-- Fields of the record: format, birth (the incarnation), epoch, line (the lineage), offset, epochs, attempt, outcome, past,
-- stage, stages, status, terminal, entry, calls, bare, heard, run.

local record, history, viewers = KEYS[1], KEYS[2], KEYS[3]
local FIRST, HEAD, WIDTH = 12, 5, 5
-- CONSTANTS STAGE_MARKS_KEPT PAST_ATTEMPTS_KEPT TERMINAL STATUS REOPENS SECOND_HALF STORED_FLAG SUPERSEDED ENDED EVENT_ID_START OWN STAMPS_OF_DIGITS
local FORMAT_OF_NEW_CHANNELS = '1'
local call = redis.call
local function int(number) return string.format('%.0f', number) end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local now_text = int(now)
-- Before anything else: the gateway has told its caller by now that nothing comes of the call.
if now >= tonumber(ARGV[2]) then return { 'LATE' } end

local kept = call('HMGET', record, 'format', 'birth', 'epoch', 'line', 'offset', 'epochs', 'attempt', 'outcome', 'stage', 'entry', 'calls', 'bare', 'run')
local format, incarnation, epoch, lineage, spans = kept[1], kept[2], kept[3], kept[4], kept[6]
local attempt, outcome, stage, last_entry = kept[7], kept[8] ~= '' and kept[8], kept[9], kept[10]
if format and tonumber(format) > tonumber(ARGV[1]) then return { 'NEWER', format } end

-- A channel without its counter begins anew. Its old stream would refuse offsets that start again.
local offset = kept[5] and tonumber(kept[5])
local is_new = not offset
if is_new then
  format, offset, incarnation, epoch, lineage, spans = FORMAT_OF_NEW_CHANNELS, 0, ARGV[5], nil, nil, ''
  attempt, outcome, stage, last_entry = false, false, false, false
end
-- The offsets of the newest events that workers published bare with nothing else between them.
local bare_from, bare_to = string.match(not is_new and kept[12] or '1 0', '^(%d+) (%d+)$')
bare_from, bare_to = tonumber(bare_from), tonumber(bare_to)

-- The last call of each gateway, as long as it could come a second time.
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

-- INCLUDE deduplicate
-- INCLUDE current-run
-- INCLUDE answer-with-cancel
local lineage_now, has_terminal, past, is_past
local begun, new_epoch, attempts_changed = false, false, false

-- Judges whether these events may come next. Answers which of them reopen, or a refusal, and then changes nothing.
local function judge_attempts(at, count)
  local reopens, ended = {}, nil
  local is_current, is_outcome, terminal_now, changed = attempt, outcome, has_terminal, false
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
        if is_past[name] or (ended and ended[name]) then return nil, { 'REFUSED', SUPERSEDED, i } end
        if is_current then
          ended = ended or {}
          ended[#ended + 1] = is_current
          ended[is_current] = true
        end
        is_current, is_outcome, changed = name, false, true
      elseif is_outcome and SECOND_HALF[is_outcome] ~= flag then
        return nil, { 'REFUSED', ENDED, i }
      end
      if TERMINAL[flag] then is_outcome, changed = flag, true end
    end
    local is_anew = begins and offset + i > 0
    reopens[i] = (is_anew or terminal_now and REOPENS[flag]) and (terminal_now and 'end' or 'attempt')
    terminal_now = TERMINAL[flag] or (terminal_now and not reopens[i])
  end
  attempt, outcome, has_terminal = is_current, is_outcome, terminal_now
  attempts_changed = attempts_changed or changed
  for _, name in ipairs(ended or {}) do
    past[#past + 1] = name
    is_past[name] = true
    if #past > PAST_ATTEMPTS_KEPT then is_past[table.remove(past, 1)] = nil end
  end
  return reopens
end

local messages = {}
-- New values of the record. `terminal` is false if an event reopened the analysis and none ended it since.
local status, terminal
local marks, marks_changed = nil, false
local run = not is_new and kept[13]
local function write(at, count, reopens)
  for i = 0, count - 1 do
    local of = at + i * WIDTH
    local flag, event_stage = ARGV[of], ARGV[of + 1]
    local shown = reopens[i] and string.upper(STORED_FLAG[flag]) or STORED_FLAG[flag]
    offset = offset + 1
    local text = EVENT_ID_START .. epoch .. '-' .. int(offset) .. '",' .. ARGV[of + 4]
    call('XADD', history, int(offset) .. '-0', shown, text)
    -- At once, and tried below: if the gateway's user may not give one of the commands, the key does not stay for good.
    if offset == 1 then call('PEXPIRE', history, ARGV[9]) end
    local message = shown .. text
    messages[#messages + 1] = message
    if reopens[i] or (event_stage ~= '' and event_stage ~= stage) then
      marks = marks or not is_new and call('HGET', record, 'stages') or ''
      run = run_after(run, marks, offset, reopens[i], stage, REOPENS[flag])
      if reopens[i] then terminal, marks, stage = false, '', false end
      if event_stage ~= '' then
        marks, stage = with_mark(marks, event_stage, ARGV[of + 2], offset), event_stage
      end
      marks_changed = true
    end
    if STATUS[flag] then status = message end
    if TERMINAL[flag] then terminal = message end
  end
end

local size, most = tonumber(ARGV[7]), tonumber(ARGV[8])
-- How many events the history will hold.
local length, trims = 0, false
local entry_changed, bare_changed = false, false
local function append(at)
  local answer, key, content, heard = find_earlier(at, offset)
  if answer then return answer end
  if not lineage_now then
    -- The lineage changes with every restart and promotion: the history until then may have forked.
    lineage_now = string.match(call('INFO', 'replication'), 'master_replid:(%w+)') or 'unknown'
    has_terminal = (not is_new) and call('HEXISTS', record, 'terminal') == 1
  end
  local count = tonumber(ARGV[at + 4])
  local reopens, refusal = judge_attempts(at + HEAD, count)
  if refusal then
    if is_content(at) then
      remember_judged(key, content, heard or heard_at(at), { refusal = refusal[2] .. ':' .. refusal[3] })
    end
    return refusal
  end
  if not begun then
    begun = true
    -- One command a line: if Redis refuses one, it names the line.
    if is_new then
      call('PEXPIRE', history, ARGV[9])
      call('DEL', record, history)
    else
      length = call('XLEN', history)
    end
    new_epoch = lineage ~= lineage_now
    if new_epoch then
      epoch = ARGV[6]
      spans = spans .. epoch .. '@' .. int(offset + 1) .. ' '
    end
  end
  local first = offset + 1
  write(at + HEAD, count, reopens)
  length = length + count
  if length > most then length, trims = size, true end
  local place = epoch .. ' ' .. int(first) .. ' ' .. int(count)
  if ARGV[at] == 'entry' then last_entry, entry_changed = ARGV[at + 1] .. ' ' .. place, true end
  if is_content(at) then
    if bare_to ~= first - 1 then bare_from = first end
    bare_to, bare_changed = offset, true
    local stored = place .. ' ' .. now_text
    if content then remember_judged(key, content, heard, { place = stored }) else remember_first(key, at, stored) end
  elseif key then
    call('SET', key, its_incarnation(at) .. place .. ' ' .. now_text, 'PX', ARGV[at + 3])
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
  at = at + HEAD + ARGV[at + 4] * WIDTH
end

if not begun then
  if heard and not is_new then call('HSET', record, 'heard', now_text) end
  return answer_with_cancel(answers, record, KEYS[4], offset, ARGV[11], ARGV[9], is_new)
end

if trims then call('XTRIM', history, 'MINID', int(offset - length + 1)) end
-- Keeps the epoch of the event just before the oldest kept: a position there is good.
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
if is_new then set('format', format) set('birth', incarnation) end
if new_epoch then set('epoch', epoch) set('line', lineage_now) end
if spans ~= kept[6] then set('epochs', spans) end if run and run ~= kept[13] then set('run', run) end
if status then set('status', status) end if terminal then set('terminal', terminal) end
if marks_changed then set('stages', marks) set('stage', stage or '') end
if attempts_changed then
  set('attempt', attempt)
  set('outcome', outcome or '')
  if past then set('past', cmsgpack.pack(past)) end
end
if entry_changed then set('entry', last_entry) end if bare_changed then set('bare', int(bare_from) .. ' ' .. int(bare_to)) end
call('HSET', record, unpack(fields))
if terminal == false then call('HDEL', record, 'terminal') end
call('PEXPIRE', record, ARGV[9])
if not is_new then call('PEXPIRE', history, ARGV[9]) end
call('PEXPIRE', viewers, ARGV[9])
-- Behind each text the time of the append, which JSON takes for nothing (append-stamp.ts).
local stamp = string.gsub(string.format('%05x', now % 1048576), '%x', STAMPS_OF_DIGITS)
for _, message in ipairs(messages) do call('PUBLISH', ARGV[10], message .. stamp) end
return answer_with_cancel(answers, record, KEYS[4], offset, ARGV[11], ARGV[9], is_new)
