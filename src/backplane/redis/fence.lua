-- From now on nothing of a dead node is taken in this partition. Gives some of the rooms where it
-- kept peers.
--
-- KEYS: 1 dead, 2 kept by it
-- ARGV: 1 the dead node, 2 how many rooms at most, 3 how long the dead are remembered
--
-- A full engine takes all of a script that begins with what needs no room.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - tonumber(ARGV[3])))
redis.call('ZADD', KEYS[1], 'NX', string.format('%.0f', now), ARGV[1])
return redis.call('SRANDMEMBER', KEYS[2], ARGV[2])
