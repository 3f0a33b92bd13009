-- A node keeps nobody in a room any more, unless the log went on.
--
-- KEYS: 1 meta, 2 kept, 3 dead
-- ARGV: 1 node, 2 room, 3 position

if redis.call('ZSCORE', KEYS[3], ARGV[1]) then
  return 2
end
if number(redis.call('HGET', KEYS[1], 's')) <= tonumber(ARGV[3]) then
  redis.call('SREM', KEYS[2], ARGV[2])
end
return 1
