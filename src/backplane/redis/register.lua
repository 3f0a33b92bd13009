-- Gives a node an id that none had before, and a lease.
--
-- KEYS: 1 nodes, 2 the last id
-- ARGV: 1 lease, 2 nonce
--
-- A full engine takes all of a script that begins with what needs no room.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREM', KEYS[1], '')
local node = redis.call('INCR', KEYS[2])
local name = string.format('%d:%s', node, ARGV[2])
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[1])), name)
return { node, now }
