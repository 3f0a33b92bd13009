-- What a node that applied a room's log up to `known` lacks of it.
--
-- KEYS: 1 log, 2 meta, 3 snap
-- ARGV: 1 known

local meta = redis.call('HMGET', KEYS[2], 's', 't', 'b')
if not meta[1] then
  local set_back = tonumber(ARGV[1]) > 0 and 1 or 0
  return { 1, 0, 0, 0, 0, set_back, 0, '', 0, {} }
end
local head = number(meta[1])
local set_back, snapshot_at, snapshot, entries =
  tail(KEYS[1], KEYS[3], tonumber(ARGV[1]), head, number(meta[2]))
local length = redis.call('XLEN', KEYS[1])
return { 1, 0, head, length, number(meta[3]), set_back, snapshot_at, snapshot, 0, entries }
