-- news: what journal holders have to hear: id -> why (0: not ended) and settled recipients. Keys: the shard's five, news.
local NEWS_KEY = 6
local NEWS_LOOK = 500

local news = {}

-- news: cursor
function news.read(k, args)
  local page = redis.call('HSCAN', k[NEWS_KEY], args[1], 'COUNT', NEWS_LOOK)
  return { 'OK', page[1], page[2] }
end

-- seen: pairs of id and what the journal has of it
function news.seen(k, args)
  settle.acknowledge(k[NEWS_KEY], args, 1)
  return 'OK'
end
