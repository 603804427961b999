-- Part of other scripts: whether the request to cancel that is kept is over, as `cancelInForce` of the domain judges it.
-- The value is "after request", or "- request" if the request is over and its copy for workers may still be there.
-- It needs current-run.lua.

-- Whether users see the analysis as ended.
local function is_over(record)
  return redis.call('HEXISTS', record, 'terminal') == 1 or redis.call('HGET', record, 'stage') == 'completed'
end

local function cancel_is_over(kept, record, offset)
  local after = tonumber(string.match(kept, '^(%d+) '))
  if not after or after > offset or is_over(record) then return true end
  local channel = redis.call('HMGET', record, 'run', 'stages')
  return after < run_kept(channel[1], channel[2])
end

local function request_of(kept) return string.sub(kept, string.find(kept, ' ', 1, true) + 1) end
-- The copy has another hash tag: on a Cluster it may lie in a slot that a script may not use.
local function is_refused(answer) return type(answer) == 'table' and answer.err end
