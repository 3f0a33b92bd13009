-- Keeps what a room's log came to as of a position, and lets go of the entries up to there.
--
-- KEYS: 1 log, 2 meta, 3 snap, 4 dead
-- ARGV: 1 node, 2 position, 3 snapshot, 4 the room's time to live
--
-- A full engine takes all of a script that begins with what needs no room.

if redis.call('ZSCORE', KEYS[4], ARGV[1]) then
  return 2
end
local meta = redis.call('HMGET', KEYS[2], 's', 't')
local head, trimmed, at = number(meta[1]), number(meta[2]), tonumber(ARGV[2])
if at <= trimmed or at > head then
  return 1
end
if at < head and #redis.call('XRANGE', KEYS[1], id(at), id(at)) == 0 then
  return 1
end
local left = redis.call('PTTL', KEYS[2])
if left <= 0 then
  left = tonumber(ARGV[4])
end
redis.call('XTRIM', KEYS[1], 'MINID', '=', id(at + 1))
redis.call('SET', KEYS[3], ARGV[3], 'PX', left)
redis.call('HSET', KEYS[2], 't', string.format('%.0f', at), 'b', 0)
return 1
