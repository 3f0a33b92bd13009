-- Writes down how the keys are laid out where nobody did yet, and gives what is written down.
--
-- KEYS: 1 cfg
-- ARGV: 1 format, 2 partitions
--
-- A full engine takes all of a script that begins with what needs no room.

redis.call('HDEL', KEYS[1], '')
redis.call('HSETNX', KEYS[1], 'format', ARGV[1])
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[2])
return redis.call('HMGET', KEYS[1], 'format', 'partitions')
