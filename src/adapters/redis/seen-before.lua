-- Part of append-events.lua: whether a request was carried out before. Uses its `now`, `is_new`, `birth`, `last_entry`,
-- `bare_from`, `bare_to`, `call`, `int`.

-- Ids are two numbers without leading zeros, either of which may be beyond what a Lua number holds.
local function seen_entry(id)
  if not last_entry then return end
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  local last_ms, last_sequence, its_epoch, first, stored = string.match(last_entry, '^(%d+)-(%d+) (%w+) (%d+) (%d+)$')
  if ms == last_ms then ms, last_ms = sequence, last_sequence end
  if #ms > #last_ms or (#ms == #last_ms and ms > last_ms) then return end
  return { 'DUPLICATE', its_epoch, tonumber(first), tonumber(stored) }
end

-- What workers published bare, as `HeardContents` in src/domain does it. Of each content is kept, in lines: where its last
-- event stands ("epoch first count at stretch", or "-"), and for each stretch "name known handled at born unsure refusal".
local JUDGED = '(%d+) (%d+) (%d+) (%d+) (%d+) (%S+)'
local STRETCH = '\n(%S+) ' .. JUDGED

local function shares_names(heard, name)
  if string.sub(name, 1, 1) == '~' then
    return string.sub(name, 1, #heard.listener + 2) == '~' .. heard.listener .. '.'
  end
  return string.match(name, '^[^.]*') == string.match(heard.stretch, '^[^.]*')
end

local function is_later(name, than)
  local server, time = string.match(name, '^(%w+)%.(%d+)')
  local its_server, its_time = string.match(than, '^(%w+)%.(%d+)')
  return server and server == its_server and tonumber(time) > tonumber(its_time)
end

-- Remembers that an occurrence was judged, as the last of its content. `as` may have: place, refusal, unsure, counted, and
-- the name of another stretch, of which it was one by another name (claimed) or stands in for the last (overtaking).
local function remember_judged(key, content, heard, as)
  local known, handled, unsure = heard.number, (as.unsure or as.counted) and 0 or 1, 0
  local place, others = '-', ''
  if content then
    place = string.match(content, '^[^\n]*')
    for name, k, h, when, born, u, refusal in string.gmatch(content, STRETCH) do
      if now - tonumber(when) >= heard.remember then
        -- Forgotten.
      elseif name == heard.stretch then
        known, handled, unsure = math.max(known, tonumber(k)), handled + tonumber(h), tonumber(u)
      else
        if name == as.claimed or name == as.overtaking then h = int(tonumber(h) - 1) end
        if name == as.overtaking then k = int(tonumber(k) - 1) end
        others = others .. '\n' .. table.concat({ name, k, h, when, born, u, refusal }, ' ')
      end
    end
  end
  if as.unsure then unsure = heard.number elseif unsure == heard.number then unsure = 0 end
  local own = { heard.stretch, int(known), int(handled), int(now), int(now - heard.age), int(unsure), as.refusal or '-' }
  call('SET', key, (as.place or place) .. others .. '\n' .. table.concat(own, ' '), 'PX', heard.remember)
end

local function answer_known(content, refusal)
  if refusal == '-' then
    local its_epoch, first, stored = string.match(content, '^(%w+) (%d+) (%d+) %d+')
    if its_epoch then return { 'DUPLICATE', its_epoch, tonumber(first), tonumber(stored) } end
    refusal = string.match(content, '.* ([%a_]+:%d+)')
    if not refusal then return end
  end
  local code, index = string.match(refusal, '^(.*):(%d+)$')
  return { 'REFUSED', code, tonumber(index) }
end

local function seen_content(key, at, newest)
  local heard = { remember = tonumber(ARGV[at + 4]) }
  local number, reach, age, retry
  heard.stretch, heard.listener, number, heard.before, reach, age, retry =
    string.match(ARGV[at + 3], '^(%S+) (%S+) (%d+) (%a+) (%d+) (%d+) (%d+)$')
  heard.number, heard.age = tonumber(number), tonumber(age)
  local content = call('GET', key)
  if not content then return nil, key, content, heard end
  local _, upto = string.find(content, '\n' .. heard.stretch .. ' ', 1, true)
  if upto then
    local known, _, when, _, unsure, refusal = string.match(content, '^' .. JUDGED, upto + 1)
    known = now - tonumber(when) < heard.remember and tonumber(known) or 0
    if heard.number <= known and not (unsure == number and heard.before == 'other') then
      return answer_known(content, heard.number == known and refusal or '-')
    end
  end
  local first, stored, placed, stored_by = string.match(content, '^%w+ (%d+) (%d+) (%d+) (%S+)')
  local is_newest = first and tonumber(first) + tonumber(stored) - 1 == newest
  local earliest = now - tonumber(reach)
  if string.sub(heard.stretch, 1, 1) ~= '~' then
    local overtaking, claimed, its_refusal
    for name, _, handled, when, born, _, refusal in string.gmatch(content, STRETCH) do
      if is_newest and handled ~= '0' and name == stored_by and is_later(name, heard.stretch) then overtaking = name end
      if shares_names(heard, name) then
        -- What was judged until then is what this node heard before its first mark.
        if string.sub(name, 1, 1) == '~' then claimed = nil end
      elseif not claimed and handled ~= '0' and tonumber(born) >= earliest and now - tonumber(when) < heard.remember then
        claimed, its_refusal = name, refusal
      end
    end
    if claimed then
      remember_judged(key, content, heard, { claimed = claimed, refusal = its_refusal ~= '-' and its_refusal or nil })
      return answer_known(content, its_refusal)
    end
    if overtaking then
      remember_judged(key, content, heard, { overtaking = overtaking })
      return answer_known(content, '-')
    end
  else
    local judged = 0
    for name, _, handled, when, _, unsure in string.gmatch(content, STRETCH) do
      if tonumber(when) >= earliest and now - tonumber(when) < heard.remember
        and (name == heard.stretch or not shares_names(heard, name)) then
        judged = judged + tonumber(handled) + (unsure == '0' and 0 or 1)
      end
    end
    if judged == heard.number then remember_judged(key, content, heard, { counted = true }) end
    if judged >= heard.number then return answer_known(content, '-') end
  end
  if heard.before == 'other' or not first or now - tonumber(placed) > tonumber(retry) then
    return nil, key, content, heard
  end
  -- A retry: nothing else was published on the channel since. What was stored since and came in this way was published after.
  local unsure = heard.before == 'unknown'
  if (unsure and is_newest) or (not unsure and bare_to == newest and tonumber(first) >= bare_from) then
    remember_judged(key, content, heard, { unsure = unsure })
    return answer_known(content, '-')
  end
  return nil, key, content, heard
end

-- The answer of its first time, if it had one; else the key to remember it under, if any, and for a content what is
-- kept of it and how it was heard. `newest` is the offset of the channel's newest event.
local function seen_before(at, newest)
  local scope = ARGV[at]
  if scope == '' then return end
  if scope == 'entry' then return seen_entry(ARGV[at + 2]) end
  local key = ARGV[at + 1] .. (scope == 'notices' and '' or birth .. ':') .. ARGV[at + 2]
  if scope == 'content' then return seen_content(key, at, newest) end
  local seen = call('GET', key)
  if seen then
    local its_epoch, first, stored, when = string.match(seen, '^(%w+) (%d+) (%d+) (%d+)$')
    if now - tonumber(when) <= tonumber(ARGV[at + 3]) then
      -- Where no record is written to, so that waiting for replicas waits for something.
      if is_new then call('SET', key, seen, 'KEEPTTL') end
      return { 'DUPLICATE', its_epoch, tonumber(first), tonumber(stored) }
    end
  end
  return nil, key
end
