#!lua flags=allow-oom
-- Makes an empty inbox anew if its ids are used up: a worker gave an entry the largest id, and Redis takes none after it.
-- The ids begin again then, so the inbox gets an incarnation, by which later entries are told from those taken before.
-- KEYS  inbox, incarnation    Answers 1 if it did, else 0.

if redis.call('XLEN', KEYS[1]) > 0 then return 0 end
-- Redis stores an entry of this id in no stream that ever had one. It says so, or that the ids are used up.
local refusal = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', '0-1', 'none', '')
if type(refusal) == 'string' then redis.call('XDEL', KEYS[1], '0-1') end
if type(refusal) ~= 'table' or not string.find(refusal.err, 'exhausted', 1, true) then return 0 end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.pcall('GET', KEYS[2])
before = type(before) == 'string' and tonumber(before) or 0
redis.call('SET', KEYS[2], string.format('%.0f', math.max(now, before + 1)))
redis.call('DEL', KEYS[1])
return 1
