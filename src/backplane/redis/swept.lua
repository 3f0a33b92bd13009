-- Whom a dead node kept in a room was dealt with.
--
-- KEYS: 1 kept by the dead node, 2 dead
-- ARGV: 1 the dead node, 2 room

if redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  redis.call('SREM', KEYS[1], ARGV[2])
end
return 1
