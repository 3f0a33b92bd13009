-- Lets one node at a time sweep a dead one.
--
-- KEYS: 1 claim
-- ARGV: 1 node, 2 how long it holds

if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
if redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then
  return 1
end
return 0
