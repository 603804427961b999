-- Part of append-events.lua: finds out whether a request was carried out before. Uses `now`, `now_text`, `is_new`,
-- `incarnation`, `last_entry`, `bare_from`, `bare_to`, `call`, `int` and `OWN` of that script.

-- Ids are two numbers without leading zeros. Either may be larger than a Lua number holds.
local function find_entry(id)
  if not last_entry then return end
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  local last_ms, last_sequence, its_epoch, first, stored = string.match(last_entry, '^(%d+)-(%d+) (%w+) (%d+) (%d+)$')
  if ms == last_ms then ms, last_ms = sequence, last_sequence end
  if #ms > #last_ms or (#ms == #last_ms and ms > last_ms) then return end
  return { 'DUPLICATE', its_epoch, tonumber(first), tonumber(stored) }
end

-- Bare messages, by the rules of `HeardContents` in src/domain. The script keeps for each content some lines. The first is
-- the place of its last event, "epoch first count at stretch", or "-". A line for each stretch follows, the one judged last
-- at the end: "name known refusal unsure handled at began".
local STRETCH = '\n(%S+) (%d+) (%S+) (%d+) (%d+) (%d+) (%d+)'

local function is_own(stretch) return string.sub(stretch, 1, 1) == OWN end

local function is_content(at) return string.sub(ARGV[at], 1, 8) == 'content ' end

-- Reads from its arguments how a message was heard.
local function heard_at(at)
  local before, listener, reach, age, retry, remember =
    string.match(ARGV[at], '^content (%a+) (%S+) (%d+) (%d+) (%d+) (%d+)$')
  return {
    stretch = string.sub(ARGV[at + 3], 2, -2), number = tonumber(ARGV[at + 4]), before = before, listener = listener,
    reach = tonumber(reach), age = tonumber(age), retry = tonumber(retry), remember = tonumber(remember),
  }
end

-- Remembers a message as the one of its content that was judged last. `as` may have: place, refusal, unsure, counted, and
-- the name of another stretch, if the message is one of that stretch (claimed) or takes the place of its last one (overtaking).
local function remember_judged(key, content, heard, as)
  local known, handled, unsure = heard.number, (as.unsure or as.counted) and 0 or 1, 0
  local place, others = as.place, ''
  if content then
    place = place or string.match(content, '^[^\n]*')
    for name, k, refusal, u, h, when, began in string.gmatch(content, STRETCH) do
      if now - tonumber(when) >= heard.remember then
        -- Forgotten.
      elseif name == heard.stretch then
        known, handled, unsure = math.max(known, tonumber(k)), handled + tonumber(h), tonumber(u)
      else
        if name == as.claimed or name == as.overtaking then h = int(tonumber(h) - 1) end
        if name == as.overtaking then k = int(tonumber(k) - 1) end
        others = others .. '\n' .. table.concat({ name, k, refusal, u, h, when, began }, ' ')
      end
    end
  end
  if as.unsure then unsure = heard.number elseif unsure == heard.number then unsure = 0 end
  local own = string.format('%s\n%s %.0f %s %.0f %.0f %.0f %.0f', others, heard.stretch, known, as.refusal or '-', unsure,
    handled, now, now - heard.age)
  call('SET', key, (place or '-') .. own, 'PX', heard.remember)
end

-- Does the same for the first message of its content that is stored: nearly all are.
local function remember_first(key, at, place)
  local age, remember = string.match(ARGV[at], '^content %a+ %S+ %d+ (%d+) %d+ (%d+)$')
  local began = age == '0' and now_text or int(now - tonumber(age))
  call('SET', key, place .. ARGV[at + 3] .. ARGV[at + 4] .. ' - 0 1 ' .. now_text .. ' ' .. began, 'PX', remember)
end

local function answer_known(content, refusal)
  if refusal == '-' then
    local its_epoch, first, stored = string.match(content, '^(%w+) (%d+) (%d+) ')
    if its_epoch then return { 'DUPLICATE', its_epoch, tonumber(first), tonumber(stored) } end
    refusal = string.match(content, '.* ([%a_]+:%d+)')
    if not refusal then return end
  end
  local code, index = string.match(refusal, '^(.*):(%d+)$')
  return { 'REFUSED', code, tonumber(index) }
end

-- Answers for a message whose name is new if it was judged by another name, or is a retry. Answers nothing otherwise.
local function judge_unknown(key, content, heard, newest)
  local function shares_names(name)
    if is_own(name) then
      return string.sub(name, 1, #heard.listener + 2) == OWN .. heard.listener .. '.'
    end
    return string.match(name, '^[^.]*') == string.match(heard.stretch, '^[^.]*')
  end
  local function is_later(name)
    local server, time = string.match(name, '^(%w+)%.(%d+)')
    local its_server, its_time = string.match(heard.stretch, '^(%w+)%.(%d+)')
    return server and server == its_server and tonumber(time) > tonumber(its_time)
  end
  local first, stored, placed, stored_by = string.match(content, '^%w+ (%d+) (%d+) (%d+) (%S+)')
  local is_newest = first and tonumber(first) + tonumber(stored) - 1 == newest
  local earliest = now - heard.reach
  if not is_own(heard.stretch) then
    local overtaking, claimed, its_refusal
    for name, _, refusal, _, handled, when, began in string.gmatch(content, STRETCH) do
      if is_newest and handled ~= '0' and name == stored_by and is_later(name) then overtaking = name end
      if shares_names(name) then
        -- This node heard before its first mark all messages that were judged until then.
        if is_own(name) then claimed = nil end
      elseif not claimed and handled ~= '0' and tonumber(began) >= earliest and now - tonumber(when) < heard.remember then
        claimed, its_refusal = name, refusal
      end
    end
    if claimed then
      remember_judged(key, content, heard, { claimed = claimed, refusal = its_refusal })
      return answer_known(content, its_refusal)
    end
    if overtaking then
      remember_judged(key, content, heard, { overtaking = overtaking })
      return answer_known(content, '-')
    end
  else
    local judged = 0
    for name, _, _, unsure, handled, when in string.gmatch(content, STRETCH) do
      if tonumber(when) >= earliest and now - tonumber(when) < heard.remember
        and (name == heard.stretch or not shares_names(name)) then
        judged = judged + tonumber(handled) + (unsure == '0' and 0 or 1)
      end
    end
    if judged == heard.number then remember_judged(key, content, heard, { counted = true }) end
    if judged >= heard.number then return answer_known(content, '-') end
  end
  if heard.before == 'other' or not first or now - tonumber(placed) > heard.retry then return end
  -- A retry: nothing else was published on the channel since. Bare messages stored since were published after it.
  local unsure = heard.before == 'unknown'
  if (unsure and is_newest) or (not unsure and bare_to == newest and tonumber(first) >= bare_from) then
    remember_judged(key, content, heard, { unsure = unsure })
    return answer_known(content, '-')
  end
end

local function find_content(key, at, newest)
  local content = call('GET', key)
  if not content then return nil, key end
  local _, upto = string.find(content, ARGV[at + 3], 1, true)
  if upto then
    local number = tonumber(ARGV[at + 4])
    local known, refusal, unsure = string.match(content, '^(%d+) (%S+) (%d+)', upto + 1)
    known, unsure = tonumber(known), tonumber(unsure)
    if number <= known and not (number == unsure and string.sub(ARGV[at], 9, 13) == 'other') then
      return answer_known(content, number == known and refusal or '-')
    end
  end
  local heard = heard_at(at)
  local answer = judge_unknown(key, content, heard, newest)
  if answer then return answer end
  return nil, key, content, heard
end

-- Answers as the first time if the request was carried out before. Otherwise answers nil, the key to remember it under if
-- it has one, and for a content the lines kept of it and how it was heard. `newest` is the offset of the newest event.
local function find_earlier(at, newest)
  local scope = ARGV[at]
  if scope == '' then return end
  if scope == 'entry' then return find_entry(ARGV[at + 2]) end
  if is_content(at) then return find_content(ARGV[at + 1] .. incarnation .. ':' .. ARGV[at + 2], at, newest) end
  local key = ARGV[at + 1] .. (scope == 'channel' and incarnation .. ':' or '') .. ARGV[at + 2]
  local seen = call('GET', key)
  if seen then
    local its_epoch, first, stored, when = string.match(seen, '^(%w+) (%d+) (%d+) (%d+)$')
    if now - tonumber(when) <= tonumber(ARGV[at + 3]) then
      -- A write, so that waiting for replicas waits for something though no record is written.
      if is_new then call('SET', key, seen, 'KEEPTTL') end
      return { 'DUPLICATE', its_epoch, tonumber(first), tonumber(stored) }
    end
  end
  return nil, key
end
