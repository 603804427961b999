-- Part of other scripts: the run that a channel is in, as `current-run.ts` of the domain has it. The record keeps it as
-- "since begun-at".

-- The offset since which requests belong to the run. A former release changes no run: then it is that of the timeline.
local function run_kept(run, marks)
  local since, begun_at = string.match(run or '', '^(%d+) (%d+)$')
  local first = string.match(marks or '', '^%S+ %S+ (%d+)\n')
  if not first then return tonumber(since or 0), tonumber(begun_at or 0) end
  local _, lines = string.gsub(marks, '\n', '\n')
  if since and (lines >= STAGE_MARKS_KEPT or first == begun_at) then return tonumber(since), tonumber(begun_at) end
  first = tonumber(first)
  return first > 1 and first or 0, first
end

-- The run after an event at the offset `at` that changes the stage, or reopens for the reason `reopened` ("end", "attempt" or
-- false). `marks` and `stage` are those before it.
local function run_after(run, marks, at, reopened, stage, may_reopen)
  local since, begun_at = run_kept(run, marks)
  if at == 1 then
    since, begun_at = 0, 1
  elseif reopened == 'attempt' and stage == 'queued' then
    local is_only = string.find(marks, '\n', 1, true) == #marks
    if not is_only then since = tonumber(string.match(marks, '(%d+)\n$') or at) end
    begun_at = at
  elseif reopened or (stage == 'completed' and may_reopen) then
    since, begun_at = at, reopened and at or begun_at
  end
  return string.format('%.0f %.0f', since, begun_at)
end

local function with_mark(marks, stage, timestamp, at)
  local _, lines = string.gsub(marks, '\n', '\n')
  if lines >= STAGE_MARKS_KEPT then marks = string.sub(marks, string.find(marks, '\n', 1, true) + 1) end
  return marks .. stage .. ' ' .. timestamp .. ' ' .. string.format('%.0f', at) .. '\n'
end
