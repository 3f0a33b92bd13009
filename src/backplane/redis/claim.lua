-- Lets one node at a time sweep a dead one.
--
-- KEYS: 1 claim
-- ARGV: 1 node, 2 how long it holds
--
-- A full engine takes all of a script that begins with what needs no room.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
