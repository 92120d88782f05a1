-- limit: counters of limits, as cluster/limit.c does them. Keys: the counters of one call, each once, all under one tag.
-- A counter is 'empty stamp' in microseconds and ends by itself when nothing is owed. Numbers stay below 2^53.
local limit = {}

-- What is owed. Where the clock went back since it was written it has not grown by the jump.
local function owed(state, now)
  if not state then
    return 0
  end
  local empty, stamp = state:match('^(%d+) (%d+)$')
  if not empty then
    return 0
  end
  return math.max(0, empty - math.max(now, stamp))
end

local function write(key, now, owes)
  if owes > 0 then
    redis.call('SET', key, string.format('%d %d', now + owes, now), 'PX', string.format('%d', math.ceil(owes / 1000)))
  else
    redis.call('DEL', key)
  end
end

-- 0: it may be taken; otherwise the time after which it may.
local function wait(owes, cost, burst)
  if owes == 0 or owes + cost <= burst then
    return 0
  end
  return math.min(owes, owes + cost - burst)
end

-- take: how far ahead it may be taken, then cost and burst of each key. All is taken, or nothing. Replies which key refused
-- (0: all is taken) as the one that has to wait longest, and the time until it may be used, or asked for again.
function limit.take(k, args)
  local now, ahead, states = clock.now_us(), tonumber(args[1]), redis.call('MGET', unpack(k))
  local refused, longest, owes = 0, 0, {}
  for i = 1, #k do
    owes[i] = owed(states[i], now)
    local waits = wait(owes[i], tonumber(args[2 * i]), tonumber(args[2 * i + 1]))
    if waits > longest then
      refused, longest = i, waits
    end
  end
  if longest > ahead then
    return { 'OK', refused, longest - ahead }
  end
  for i = 1, #k do
    local cost = tonumber(args[2 * i])
    if cost > 0 then
      write(k[i], now, owes[i] + cost)
    end
  end
  return { 'OK', 0, longest }
end

-- refund: cost of each key
function limit.refund(k, args)
  local now, states = clock.now_us(), redis.call('MGET', unpack(k))
  for i = 1, #k do
    if states[i] then
      write(k[i], now, math.max(0, owed(states[i], now) - args[i]))
    end
  end
  return 'OK'
end

-- peek: replies what each key owes
function limit.peek(k)
  local now, states, reply = clock.now_us(), redis.call('MGET', unpack(k)), { 'OK' }
  for i = 1, #k do
    reply[i + 1] = owed(states[i], now)
  end
  return reply
end
