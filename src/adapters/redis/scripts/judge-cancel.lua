-- Part of other scripts: judges the request to cancel that is kept, as `cancelInForce` and `cancelAtEnd` of the domain do. Its
-- value is "after request"; once the run that it was for is over, "-after request" while its copy for workers may still be there, and
-- "=after request" then. It needs current-run.lua.

-- Whether users see the analysis as ended.
local function is_over(record)
  return redis.call('HEXISTS', record, 'terminal') == 1 or redis.call('HGET', record, 'stage') == 'completed'
end

-- Whether it is for the run that the channel is in, be that over or not.
local function is_of_run(kept, record, offset)
  local after = tonumber(string.match(kept, '^[-=]?(%d+) '))
  if not after or after > offset then return false end
  local channel = redis.call('HMGET', record, 'run', 'stages')
  return after >= run_kept(channel[1], channel[2])
end

local function cancel_is_over(kept, record, offset)
  return not string.find(kept, '^%d') or is_over(record) or not is_of_run(kept, record, offset)
end

local function request_of(kept) return string.sub(kept, string.find(kept, ' ', 1, true) + 1) end
-- The copy has another hash tag: on a Cluster it may lie in a slot that a script may not use.
local function is_refused(answer) return type(answer) == 'table' and answer.err end
