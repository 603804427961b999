-- INCLUDE judge-cancel
-- Part of append-events.lua: ends the request to cancel if the call ended or reopened the analysis. Puts into the answer "", or
-- "REQUESTED" if a request is in force, or "OVER request" if the gateway has to remove the copy of one that is over.
-- The record must have all that the call stores.
local function answer_with_cancel(answers, record, cancel, offset, copy, ttl)
  local kept = call('GET', cancel)
  local state = ''
  if kept and cancel_is_over(kept, record, offset) then
    if is_refused(redis.pcall('DEL', copy)) then
      local request = request_of(kept)
      call('SET', cancel, '- ' .. request, 'PX', ttl)
      state = 'OVER ' .. request
    else
      call('DEL', cancel)
    end
  elseif kept then
    state = 'REQUESTED'
    call('PEXPIRE', cancel, ttl)
    redis.pcall('PEXPIRE', copy, ttl)
  end
  table.insert(answers, 2, state)
  return answers
end
