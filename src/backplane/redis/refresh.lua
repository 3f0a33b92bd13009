-- Renews a node's lease. Where it may, it also condemns the nodes whose leases are over. Gives
-- whether the lease was there to renew, the time, and the nodes that are to be swept.
--
-- KEYS: 1 nodes, 2 dying
-- ARGV: 1 name, 2 lease, 3 whether it may condemn
--
-- A full engine takes all of a script that begins with what needs no room.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return { 0, now, {} }
end
redis.call('ZREM', KEYS[1], '')
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
if ARGV[3] == '1' then
  local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
  for _, name in ipairs(over) do
    redis.call('ZREM', KEYS[1], name)
    redis.call('ZADD', KEYS[2], string.format('%.0f', now), string.match(name, '^%d+'))
  end
end
return { 1, now, redis.call('ZRANGE', KEYS[2], 0, -1) }
