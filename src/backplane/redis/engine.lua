-- Counts how often another engine answers for a partition than before: a server that was started
-- again, or promoted, may lack the last entries of logs.
--
-- KEYS: 1 engine
-- ARGV: 1 what the server calls itself

if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  redis.call('HINCRBY', KEYS[1], 'n', 1)
  redis.call('HSET', KEYS[1], 'id', ARGV[1])
end
return 1
