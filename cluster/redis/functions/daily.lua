-- daily: what came of a job that the leader does again and again. Key: the hash of it.
local DAILY = 1

local daily = {}

-- daily_get. Replies now, number (0: it was never done), when it was done, by whom, what came of it.
function daily.get(k)
  local v = redis.call('HMGET', k[DAILY], 'number', 'at', 'by', 'text')
  return { 'OK', clock.now_ms(), tonumber(v[1] or 0), tonumber(v[2] or 0), v[3] or '', v[4] or '' }
end

-- daily_put: the number it goes on from, by whom, what came of it. NOT: somebody else was faster.
function daily.put(k, args)
  local number = redis.call('HGET', k[DAILY], 'number') or '0'
  if number ~= args[1] then
    return { 'NOT' }
  end
  redis.call('HSET', k[DAILY], 'number', text(number + 1), 'at', text(clock.now_ms()), 'by', args[2], 'text', args[3])
  return { 'OK' }
end
