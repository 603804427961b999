-- Part of append-events.lua: finds out whether a request was carried out before. Uses `now`, `now_text`, `is_new`,
-- `format`, `incarnation`, `record`, `last_entry`, `bare_from`, `bare_to`, `call`, `int` and `OWN` of that script.

-- In channels of format 1 the script makes names that are not declared. Gateways that know no other format use them too.
local names_hold_incarnation = not format or format == '1'
-- The names of all deduplication keys of the channel begin with it.
local SEEN = record .. ':seen:'

local function key_of(at, number)
  local key = KEYS[tonumber(number)]
  if ARGV[at] == 'notices' or not names_hold_incarnation then return key end
  return SEEN .. incarnation .. ':' .. string.sub(key, #SEEN + 1)
end

-- The beginning of the values of the key, if the name does not hold the incarnation.
local function its_incarnation(at)
  if ARGV[at] == 'notices' or names_hold_incarnation then return '' end
  return incarnation .. ' '
end

local function recall(key, at)
  local value = call('GET', key)
  local its = its_incarnation(at)
  if its == '' or not value then return value end
  return string.sub(value, 1, #its) == its and string.sub(value, #its + 1)
end

-- Ids are two numbers without leading zeros, after the incarnation of the inbox if it has one. Each may be larger than a Lua
-- number holds.
local ENTRY_ID = '^(%d-)%-?(%d+)-(%d+)'
local function is_after(one, other) return #one > #other or (#one == #other and one > other) end

local function find_stored_entry(id)
  if not last_entry then return end
  local made, ms, sequence = string.match(id, ENTRY_ID .. '$')
  local last_made, last_ms, last_sequence, its_epoch, first, stored =
    string.match(last_entry, ENTRY_ID .. ' (%w+) (%d+) (%d+)$')
  if ms == last_ms then ms, last_ms = sequence, last_sequence end
  if made ~= last_made then ms, last_ms = made, last_made end
  if is_after(ms, last_ms) then return end
  return { 'DUPLICATE', its_epoch, tonumber(first), tonumber(stored) }
end

-- Answers as the first time if a request of this key was carried out within the window.
local function find_named(key, at, window)
  local seen = recall(key, at)
  local its_epoch, first, stored, when = string.match(seen or '', '^(%w+) (%d+) (%d+) (%d+)$')
  if not seen or now - tonumber(when) > tonumber(window) then return end
  return { 'DUPLICATE', its_epoch, tonumber(first), tonumber(stored) }, seen
end

local function find_entry(at)
  local id, stored = ARGV[at + 1], find_stored_entry(ARGV[at + 1])
  local number, window = string.match(ARGV[at + 2], '^(%d+) (%d+)$')
  if stored or not number then return stored end
  local key = key_of(at, number)
  local named = find_named(key, at, window)
  if not named then return nil, key end
  -- The key is forgotten before the entry may be taken for the last time.
  last_entry = table.concat({ id, named[2], int(named[3]), int(named[4]) }, ' ')
  call('HSET', record, 'entry', last_entry)
  return named
end

-- Bare messages, by the rules of `HeardContents` in src/domain. The script keeps for each content some lines. The first is
-- the place of its last event, "epoch first count at stretch number", or "-". Its name is "-" once anything but a retry of it
-- was judged after it in its stretch. A line for each stretch follows, the one judged last at the end: "name known refusal
-- unsure handled at began retries precedes", without the last two if both are nothing.
local STRETCH = '\n(%S+) (%d+) (%S+) (%d+) (%d+) (%d+) (%d+) ?(%d*) ?(%S*)'
local STORED_AS = '^%w+ (%d+) (%d+) (%d+) (%S+) ?(%d*)'

local function is_own(stretch) return string.sub(stretch, 1, 1) == OWN end

local function is_content(at) return string.sub(ARGV[at], 1, 8) == 'content ' end

-- Reads from its arguments how a message was heard.
local function heard_at(at)
  local before, listener, reach, age, retry, remember =
    string.match(ARGV[at], '^content (%a+) (%S+) (%d+) (%d+) (%d+) (%d+)$')
  return {
    stretch = string.sub(ARGV[at + 2], 2, -2), number = tonumber(ARGV[at + 3]), before = before, listener = listener,
    reach = tonumber(reach), age = tonumber(age), retry = tonumber(retry), remember = tonumber(remember), incarnation = its_incarnation(at),
  }
end

-- Whether the listener of this message counts the stretch by itself.
local function is_its_own(name, heard)
  return string.sub(name, 1, #heard.listener + 2) == OWN .. heard.listener .. '.'
end

-- Whether one shared stretch began after another, on the same server.
local function is_later(name, than)
  local server, time = string.match(name, '^(%w+)%.(%d+)')
  local its_server, its_time = string.match(than, '^(%w+)%.(%d+)')
  return server and server == its_server and tonumber(time) > tonumber(its_time)
end

local function line_of(name, known, refusal, unsure, handled, at, began, retries, precedes)
  local line = string.format('\n%s %.0f %s %.0f %.0f %.0f %.0f', name, known, refusal, unsure, handled, at, began)
  if retries == 0 and precedes == '' then return line end
  return line .. ' ' .. int(retries) .. ' ' .. precedes
end

-- Remembers a message as the one of its content that was judged last. `as` may have: place, refusal, retry ("sure" or
-- "unsure"), counted, and the name of another stretch, if the message is one of that stretch (claimed, perhaps is_retry), or
-- takes the place of the last one stored by it (overtaking, from its number on).
local function remember_judged(key, content, heard, as)
  local known, handled, unsure, precedes = 0, (as.retry == 'unsure' or as.counted) and 0 or 1, 0, ''
  local retries = (as.retry == 'sure' or as.is_retry) and 1 or 0
  local others = ''
  for name, k, refusal, u, h, when, began, r, its_next in string.gmatch(content or '', STRETCH) do
    k, u, h, r = tonumber(k), tonumber(u), tonumber(h), tonumber(r) or 0
    if now - tonumber(when) >= heard.remember then
      -- Forgotten.
    elseif name == heard.stretch then
      known, handled, unsure, retries, precedes = k, handled + h, u, retries + r, its_next
    else
      if name == as.claimed then h, r = h - 1, r - (as.is_retry and 1 or 0) end
      if name == as.overtaking then
        -- That message and its retries will be judged again.
        local sure = k - as.from - (u > as.from and 1 or 0)
        h = math.max(0, h - sure - 1)
        r, k, refusal = math.min(h, math.max(0, r - sure)), as.from - 1, '-'
        if u >= as.from then u = 0 end
      end
      if its_next == '' and not is_own(heard.stretch) and is_its_own(name, heard) then its_next = heard.stretch end
      others = others .. line_of(name, k, refusal, u, h, tonumber(when), tonumber(began), r, its_next)
    end
  end
  local place = as.place
  if place then
    place = place .. (heard.number > known and ' ' .. heard.stretch .. ' ' .. int(heard.number) or ' -')
  else
    place = content and string.match(content, '^[^\n]*') or '-'
    local at, stored_by = string.match(place, '^(%w+ %d+ %d+ %d+) (%S+)')
    if not as.retry and stored_by == heard.stretch then place = at .. ' -' end
  end
  if as.retry == 'unsure' then unsure = heard.number elseif unsure == heard.number then unsure = 0 end
  known = math.max(known, heard.number)
  local own = line_of(heard.stretch, known, as.refusal or '-', unsure, handled, now, now - heard.age, retries, precedes)
  call('SET', key, heard.incarnation .. place .. others .. own, 'PX', heard.remember)
end

-- Does the same for the first message of its content that is stored: nearly all are.
local function remember_first(key, at, place)
  local age, remember = string.match(ARGV[at], '^content %a+ %S+ %d+ (%d+) %d+ (%d+)$')
  local began = age == '0' and now_text or int(now - tonumber(age))
  local line = ARGV[at + 2] .. ARGV[at + 3]
  call('SET', key, its_incarnation(at) .. place .. ' ' .. string.sub(line, 2) .. line .. ' - 0 1 ' .. now_text .. ' ' .. began, 'PX', remember)
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
    if is_own(name) then return is_its_own(name, heard) end
    return string.match(name, '^[^.]*') == string.match(heard.stretch, '^[^.]*')
  end
  local first, stored, placed, stored_by, stored_number = string.match(content, STORED_AS)
  local is_newest = first and tonumber(first) + tonumber(stored) - 1 == newest
  local earliest = now - heard.reach
  if not is_own(heard.stretch) then
    local overtaking, claimed, its_refusal, is_retry
    for name, _, refusal, _, handled, when, began, retries, its_next in string.gmatch(content, STRETCH) do
      if retries == '' then retries = '0' end
      local is_known = handled ~= '0' and now - tonumber(when) < heard.remember
      if is_newest and is_known and name == stored_by and stored_number ~= '' and is_later(name, heard.stretch) then
        overtaking = name
      end
      if shares_names(name) then
        -- This node heard before its first mark all messages that were judged until then.
        if is_own(name) then claimed = nil end
      elseif not claimed and is_known and tonumber(began) >= earliest and its_next ~= heard.stretch
        and not is_later(heard.stretch, its_next) and (heard.before ~= 'other' or handled ~= retries) then
        -- Everybody hears the messages of one channel in one order: before a retry nobody heard another message.
        claimed, its_refusal = name, refusal
        is_retry = handled == retries or (heard.before == 'same' and retries ~= '0')
      end
    end
    if claimed then
      remember_judged(key, content, heard, { claimed = claimed, is_retry = is_retry, refusal = its_refusal })
      return answer_known(content, its_refusal)
    end
    if overtaking then
      local place = string.match(content, '^%w+ %d+ %d+ %d+')
      remember_judged(key, content, heard, { place = place, overtaking = overtaking, from = tonumber(stored_number) })
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
    remember_judged(key, content, heard, { retry = unsure and 'unsure' or 'sure' })
    return answer_known(content, '-')
  end
end

local function find_content(key, at, newest)
  local content = recall(key, at)
  if not content then return nil, key end
  local _, upto = string.find(content, ARGV[at + 2], 1, true)
  if upto then
    local number = tonumber(ARGV[at + 3])
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
  if scope == 'entry' then return find_entry(at) end
  local key = key_of(at, ARGV[at + 1])
  if is_content(at) then return find_content(key, at, newest) end
  local named, seen = find_named(key, at, ARGV[at + 2])
  -- A write, so that waiting for replicas waits for something though no record is written.
  if named and is_new then call('SET', key, its_incarnation(at) .. seen, 'KEEPTTL') end
  if named then return named end
  return nil, key
end
