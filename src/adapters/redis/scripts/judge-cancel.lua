-- Part of other scripts: whether the request to cancel that is kept is over, as `cancelInForce` of the domain judges it.
-- The value is "after request", or "- request" if the request is over and its copy for workers may still be there.

local function cancel_is_over(kept, record, offset)
  local after = tonumber(string.match(kept, '^(%d+) '))
  if not after or after > offset or redis.call('HEXISTS', record, 'terminal') == 1 then return true end
  local marks = redis.call('HGET', record, 'stages')
  local begun_at = marks and tonumber(string.match(marks, '^%S+ %S+ (%d+)')) or 0
  return begun_at > math.max(after, 1)
end

local function request_of(kept) return string.sub(kept, string.find(kept, ' ', 1, true) + 1) end
-- The copy has another hash tag: on a Cluster it may lie in a slot that a script may not use.
local function is_refused(answer) return type(answer) == 'table' and answer.err end
