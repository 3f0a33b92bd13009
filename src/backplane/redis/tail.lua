-- What a node that applied a room's log up to `known` lacks of it. Prepended to the scripts that
-- answer so.

local function number(text)
  return tonumber(text or '0')
end

local function id(position)
  return string.format('%.0f-0', position)
end

-- `before` is the position of the last entry that a node could know of, `trimmed` that up to which
-- the snapshot goes. Gives whether `known` is none of the log's positions, the position of the
-- snapshot (0: none is needed), the snapshot, and the entries.
local function tail(log, snap, known, before, trimmed)
  local set_back = 0
  if known > before then
    set_back = 1
  elseif known > trimmed and known ~= before then
    if #redis.call('XRANGE', log, id(known), id(known)) == 0 then
      set_back = 1
    end
  end
  local from = known
  if set_back == 1 then
    from = 0
  end
  local snapshot_at, snapshot = 0, ''
  if from < trimmed then
    snapshot_at, snapshot = trimmed, redis.call('GET', snap) or ''
    from = trimmed
  end
  return set_back, snapshot_at, snapshot, redis.call('XRANGE', log, '(' .. id(from), '+')
end

