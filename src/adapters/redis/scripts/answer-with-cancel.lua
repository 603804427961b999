-- INCLUDE judge-cancel
-- Part of append-events.lua: ends the request to cancel if the call ended the run that it was for, or began another. Puts
-- into the answer "", "REQUESTED" if a request is in force, "FAR request" if the gateway has to renew its copy besides, or
-- "OVER request" if it has to remove the copy of one that is over. The record must have all that the call stores.
local function answer_with_cancel(answers, record, cancel, offset, copy, ttl, is_new)
  local kept = call('GET', cancel)
  local state = ''
  -- A request after events that are gone belongs to a life of the counter before this one.
  local is_of_before = kept and is_new and offset > 0 and not string.find(kept, '^0 ')
  if kept and (is_of_before or cancel_is_over(kept, record, offset)) then
    local mark, rest = string.match(kept, '^([-=]?)(.*)$')
    if mark ~= '=' and is_refused(redis.pcall('DEL', copy)) then
      call('SET', cancel, '-' .. rest, 'PX', ttl)
      state = 'OVER ' .. request_of(kept)
    elseif is_of_before or not is_of_run(kept, record, offset) then
      call('DEL', cancel)
    else
      -- The state of the ended analysis says who asked for it.
      call('SET', cancel, '=' .. rest, 'PX', ttl)
    end
  elseif kept then
    call('PEXPIRE', cancel, ttl)
    state = is_refused(redis.pcall('PEXPIRE', copy, ttl)) and 'FAR ' .. request_of(kept) or 'REQUESTED'
  end
  table.insert(answers, 2, state)
  return answers
end
