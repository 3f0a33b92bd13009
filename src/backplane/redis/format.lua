-- Writes down how the keys are laid out where nobody did yet, and gives what is written down; and who
-- signs at the node that starts now, and gives whom the one before had written down.
--
-- KEYS: 1 cfg
-- ARGV: 1 format, 2 partitions, 3 who signs, or nothing
--
-- A full engine takes all of a script that begins with what needs no room.

redis.call('HDEL', KEYS[1], '')
redis.call('HSETNX', KEYS[1], 'format', ARGV[1])
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[2])
local found = redis.call('HMGET', KEYS[1], 'format', 'partitions', 'signer')
-- A node that does not start changes nothing.
if ARGV[3] ~= '' and found[1] == ARGV[1] and found[2] == ARGV[2] then
  redis.call('HSET', KEYS[1], 'signer', ARGV[3])
end
return found
