-- Tells how many members a room had as of a position. One that has some lives on, also where
-- nothing is appended.
--
-- KEYS: 1 log, 2 meta, 3 where, 4 snap, 5 rooms, 6 dead
-- ARGV: 1 node, 2 room, 3 position, 4 members, 5 how long an empty room lives on, 6 how long another
--   does, 7 how much less may be left of that
--
-- A full engine takes all of a script that begins with what needs no room.

if redis.call('ZSCORE', KEYS[6], ARGV[1]) then
  return 2
end
local meta = redis.call('HMGET', KEYS[2], 's', 'c')
if not meta[1] then
  redis.call('HDEL', KEYS[5], ARGV[2])
  return 1
end
local head, told, at = number(meta[1]), number(meta[2]), tonumber(ARGV[3])
if at < told or at > head then
  return 1
end
redis.call('HDEL', KEYS[2], '')
redis.call('HSET', KEYS[2], 'c', ARGV[3])
if ARGV[4] ~= '0' then
  redis.call('HSET', KEYS[5], ARGV[2], ARGV[4])
  if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[6]) - tonumber(ARGV[7]) then
    for key = 1, 4 do
      redis.call('PEXPIRE', KEYS[key], ARGV[6])
    end
  end
  return 1
end
redis.call('HDEL', KEYS[5], ARGV[2])
if at == head then
  for key = 1, 4 do
    redis.call('PEXPIRE', KEYS[key], ARGV[5])
  end
end
return 1
