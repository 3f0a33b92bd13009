-- Appends one entry to a room's log, once however often it is tried, and rings the nodes concerned.
--
-- KEYS: 1 log, 2 meta, 3 where, 4 snap, 5 uid, 6 dead, 7 bells, 8 kept, 9 engine
-- ARGV: 1 node, 2 stem of the channels, 3 partition, 4 room, 5 known, 6 keeps, 7 largest entry that
--   is rung inline, 8 the room's time to live, 9 how much less may be left of it, 10 the uid's time
--   to live, 11 uid, 12 entry, 13 ring, 14 the entry that comes first where another engine answers
--   than before, 15 whether it is taken where the engine is full, 16 how many seat changes; then for
--   each `t` or `l`, field, reader; then the fields whose nodes are rung
--
-- An engine that is full refuses all of a script or nothing, by the first write: here one that needs
-- room, unless the entry is one that makes some.

local node, uid, entry, ring = ARGV[1], ARGV[11], ARGV[12], ARGV[13]
local known, changes = tonumber(ARGV[5]), tonumber(ARGV[16])

if redis.call('ZSCORE', KEYS[6], node) then
  return { 2 }
end

local meta = redis.call('HMGET', KEYS[2], 's', 't', 'n', 'b')
local before, trimmed = number(meta[1]), number(meta[2])

local earlier = redis.call('GET', KEYS[5])
if earlier then
  -- Something has to be written, so that waiting for replicas means that they have the entry too.
  redis.call('PEXPIRE', KEYS[5], ARGV[10])
  local set_back, snapshot_at, snapshot, entries = tail(KEYS[1], KEYS[4], known, before, trimmed)
  local length = redis.call('XLEN', KEYS[1])
  local size = number(meta[4])
  return { 1, tonumber(earlier), before, length, size, set_back, snapshot_at, snapshot, 0, entries }
end

-- Where nobody can have heard of the log, what is left of an older one goes.
if not meta[1] and redis.call('EXISTS', KEYS[1], KEYS[3], KEYS[4]) > 0 then
  redis.call('DEL', KEYS[1], KEYS[3], KEYS[4])
end

local rung, any = {}, false
local function look_at(seats)
  for _, seat in ipairs(seats) do
    local at = seat and string.match(seat, '^%d+')
    if at and at ~= node and rung[at] == nil then
      -- The dead hear nothing.
      rung[at] = not redis.call('ZSCORE', KEYS[6], at)
      any = any or rung[at]
    end
  end
end
if ring == 'e' then
  look_at(redis.call('HVALS', KEYS[3]))
elseif ring == 'p' then
  for first = 17 + 3 * changes, #ARGV, 1000 do
    local last = math.min(first + 999, #ARGV)
    local seats = redis.call('HMGET', KEYS[3], unpack(ARGV, first, last))
    for i = 1, last - first + 1 do
      look_at({ seats[i] })
    end
  end
end

local time = redis.call('TIME')
local at = math.max(before + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
local engine = redis.call('HGET', KEYS[9], 'n') or '0'
local another = meta[1] and meta[3] ~= engine
local size = #entry
if ARGV[15] == '1' then
  redis.call('HDEL', KEYS[2], '')
end
if another then
  size = size + #ARGV[14]
  redis.call('XADD', KEYS[1], id(at), 'e', ARGV[14], 'u', '0')
  at = at + 1
end
local place = string.format('%.0f', at)

redis.call('XADD', KEYS[1], id(at), 'e', entry, 'u', uid)
redis.call('HSET', KEYS[2], 's', place, 'n', engine)
size = redis.call('HINCRBY', KEYS[2], 'b', size)
redis.call('SET', KEYS[5], place, 'PX', ARGV[10])

local took = false
for change = 0, changes - 1 do
  local verb, field, reader = unpack(ARGV, 17 + 3 * change, 19 + 3 * change)
  if verb == 't' then
    redis.call('HSET', KEYS[3], field, node .. ' ' .. reader)
    took = true
  else
    local seat = redis.call('HGET', KEYS[3], field)
    if seat and string.match(seat, ' (%d+)$') == reader then
      redis.call('HDEL', KEYS[3], field)
    end
  end
end

if ARGV[6] == '1' then
  redis.call('SADD', KEYS[8], ARGV[4])
end

if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[8]) - tonumber(ARGV[9]) then
  for key = 1, 4 do
    redis.call('PEXPIRE', KEYS[key], ARGV[8])
  end
elseif took and redis.call('PTTL', KEYS[3]) < 0 then
  redis.call('PEXPIRE', KEYS[3], ARGV[8])
end

if any then
  local told = string.format(' %s %.0f %s ', ARGV[4], before, place)
  if #entry <= tonumber(ARGV[7]) and not another then
    told = told .. '1\n' .. entry
  else
    told = told .. '0\n'
  end
  for at_node, lives in pairs(rung) do
    if lives then
      local count = redis.call('HINCRBY', KEYS[7], at_node, 1)
      redis.call('PUBLISH', ARGV[2] .. at_node, ARGV[3] .. ' ' .. string.format('%d', count) .. told)
    end
  end
end

local length = redis.call('XLEN', KEYS[1])
if known == before and not another then
  return { 1, at, at, length, size, 0, 0, '', 1, {} }
end
local set_back, snapshot_at, snapshot, entries = tail(KEYS[1], KEYS[4], known, before, trimmed)
return { 1, at, at, length, size, set_back, snapshot_at, snapshot, 0, entries }
