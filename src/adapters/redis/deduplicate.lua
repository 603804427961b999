-- Part of append-events.lua: whether a request was carried out before. Uses its `now`, `now_text`, `is_new`, `birth`,
-- `last_entry`, `bare_from`, `bare_to`, `call`, `int`.

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
-- event stands ("epoch first count at stretch", or "-"), and for each stretch, the one judged last at the end,
-- "name known refusal unsure handled at born".
local STRETCH = '\n(%S+) (%d+) (%S+) (%d+) (%d+) (%d+) (%d+)'

local function is_content(at) return string.sub(ARGV[at], 1, 8) == 'content ' end

-- How a message was heard, from its arguments.
local function heard_at(at)
  local before, listener, reach, age, retry, remember =
    string.match(ARGV[at], '^content (%a+) (%S+) (%d+) (%d+) (%d+) (%d+)$')
  return {
    stretch = string.sub(ARGV[at + 3], 2, -2), number = tonumber(ARGV[at + 4]), before = before, listener = listener,
    reach = tonumber(reach), age = tonumber(age), retry = tonumber(retry), remember = tonumber(remember),
  }
end

-- Remembers that a message was judged, as the last of its content. `as` may have: place, refusal, unsure, counted, and the
-- name of another stretch, of which it was one by another name (claimed) or stands in for the last (overtaking).
local function remember_judged(key, content, heard, as)
  local known, handled, unsure = heard.number, (as.unsure or as.counted) and 0 or 1, 0
  local place, others = as.place, ''
  if content then
    place = place or string.match(content, '^[^\n]*')
    for name, k, refusal, u, h, when, born in string.gmatch(content, STRETCH) do
      if now - tonumber(when) >= heard.remember then
        -- Forgotten.
      elseif name == heard.stretch then
        known, handled, unsure = math.max(known, tonumber(k)), handled + tonumber(h), tonumber(u)
      else
        if name == as.claimed or name == as.overtaking then h = int(tonumber(h) - 1) end
        if name == as.overtaking then k = int(tonumber(k) - 1) end
        others = others .. '\n' .. table.concat({ name, k, refusal, u, h, when, born }, ' ')
      end
    end
  end
  if as.unsure then unsure = heard.number elseif unsure == heard.number then unsure = 0 end
  local own = string.format('%s\n%s %.0f %s %.0f %.0f %.0f %.0f', others, heard.stretch, known, as.refusal or '-', unsure,
    handled, now, now - heard.age)
  call('SET', key, (place or '-') .. own, 'PX', heard.remember)
end

-- As `remember_judged`, of the first that is stored of its content: as nearly all are.
local function remember_first(key, at, place)
  local age, remember = string.match(ARGV[at], '^content %a+ %S+ %d+ (%d+) %d+ (%d+)$')
  local born = age == '0' and now_text or int(now - tonumber(age))
  call('SET', key, place .. ARGV[at + 3] .. ARGV[at + 4] .. ' - 0 1 ' .. now_text .. ' ' .. born, 'PX', remember)
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

-- Whether a message that is not known by its name is one that was judged by another, or a retry: the answer, if so.
local function judge_unknown(key, content, heard, newest)
  local function shares_names(name)
    if string.sub(name, 1, 1) == '~' then
      return string.sub(name, 1, #heard.listener + 2) == '~' .. heard.listener .. '.'
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
  if string.sub(heard.stretch, 1, 1) ~= '~' then
    local overtaking, claimed, its_refusal
    for name, _, refusal, _, handled, when, born in string.gmatch(content, STRETCH) do
      if is_newest and handled ~= '0' and name == stored_by and is_later(name) then overtaking = name end
      if shares_names(name) then
        -- What was judged until then is what this node heard before its first mark.
        if string.sub(name, 1, 1) == '~' then claimed = nil end
      elseif not claimed and handled ~= '0' and tonumber(born) >= earliest and now - tonumber(when) < heard.remember then
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
  -- A retry: nothing else was published on the channel since. What was stored since and came in this way was published after.
  local unsure = heard.before == 'unknown'
  if (unsure and is_newest) or (not unsure and bare_to == newest and tonumber(first) >= bare_from) then
    remember_judged(key, content, heard, { unsure = unsure })
    return answer_known(content, '-')
  end
end

local function seen_content(key, at, newest)
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

-- The answer of its first time, if it had one; else the key to remember it under, if any, and for a content what is
-- kept of it and how it was heard. `newest` is the offset of the channel's newest event.
local function seen_before(at, newest)
  local scope = ARGV[at]
  if scope == '' then return end
  if scope == 'entry' then return seen_entry(ARGV[at + 2]) end
  if is_content(at) then return seen_content(ARGV[at + 1] .. birth .. ':' .. ARGV[at + 2], at, newest) end
  local key = ARGV[at + 1] .. (scope == 'channel' and birth .. ':' or '') .. ARGV[at + 2]
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
