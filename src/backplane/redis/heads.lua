-- The positions of the last entries of rooms of one partition.
--
-- KEYS: their metas

local heads = {}
for place, meta in ipairs(KEYS) do
  heads[place] = number(redis.call('HGET', meta, 's'))
end
return heads
