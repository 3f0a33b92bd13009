-- Gives a node's lease back, and tells the others that there may be something to sweep.
--
-- KEYS: 1 nodes, 2 dying
-- ARGV: 1 name, 2 stem of the channels

if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], time[1] .. '000', string.match(ARGV[1], '^%d+'))
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  redis.call('PUBLISH', ARGV[2] .. string.match(name, '^%d+'), '!')
end
return 1
