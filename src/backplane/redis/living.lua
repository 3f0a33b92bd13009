-- Which rooms of a page of the census live still; the others leave it.
--
-- KEYS: 1 rooms, then the metas
-- ARGV: the rooms

local living = {}
for place = 2, #KEYS do
  living[place - 1] = redis.call('EXISTS', KEYS[place])
  if living[place - 1] == 0 then
    redis.call('HDEL', KEYS[1], ARGV[place - 1])
  end
end
return living
