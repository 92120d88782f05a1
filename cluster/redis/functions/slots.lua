-- slots: connections to a route, of the whole cluster at most so many. Keys: routes, then a hash for each route.
--   routes: zset, route -> ms of its last call
--   a route: holder (a worker) -> 'count wants waits made ends most': slots that it has, would like to have, since when it
--     waits for more (0: not), when that was written, until when it holds, and the most that the route may have
-- A holder says what it uses and wants, not what to add: a call that is repeated, or whose answer is lost, does no harm.
local SLOT_ROUTES = 1
-- A route's hash ends by itself; holders call more often.
local SLOT_KEEP_MS = 120000

local slots = {}

local function read_holder(record, now)
  local count, wants, waits, made, ends, most = record:match('^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  if not count or tonumber(ends) <= now then
    return nil
  end
  return {
    count = tonumber(count), wants = tonumber(wants), waits = tonumber(waits), made = tonumber(made), ends = tonumber(ends),
    most = tonumber(most),
  }
end

local function write_holder(key, name, holder)
  redis.call('HSET', key, name, string.format('%d %d %d %d %d %d', holder.count, holder.wants, holder.waits, holder.made,
    holder.ends, holder.most))
end

local function read_holders(key, now)
  local found, ended, flat = {}, {}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    found[flat[i]] = read_holder(flat[i + 1], now)
    if not found[flat[i]] then
      ended[#ended + 1] = flat[i]
    end
  end
  return found, ended
end

-- What has ended is given up. Where the clock went back since something was written, it was written now.
local function settle_holders(key, holders, ended, now)
  if #ended > 0 then
    redis.call('HDEL', key, unpack(ended))
  end
  for name, holder in pairs(holders) do
    if holder.made > now then
      holder.ends, holder.waits, holder.made = now + holder.ends - holder.made, math.min(holder.waits, now), now
      write_holder(key, name, holder)
    end
  end
end

-- Each may have its fair part, before anybody has more; among those who lack some of it, who waits longest goes first.
-- Replies the fair part, whether they take turns, what the others have, what they lack, and what those lack who go first.
local function look_at_others(holders, self, me, most)
  local count, has = 1, 0
  for name, holder in pairs(holders) do
    if name ~= self then
      count, has = count + 1, has + holder.count
    end
  end
  local fair = math.max(1, math.floor(most / count))
  local before, lack = 0, 0
  for name, holder in pairs(holders) do
    local lacks = math.min(holder.wants, fair) - holder.count
    if name ~= self and lacks > 0 then
      lack = lack + lacks
      if holder.waits < me.waits or (holder.waits == me.waits and name < self) then
        before = before + lacks
      end
    end
  end
  return fair, count > most, has, lack, before
end

local function hold(key, self, now, ask)
  local holders, ended = read_holders(key, now)
  settle_holders(key, holders, ended, now)
  local me = holders[self] or { count = 0, waits = 0 }
  if ask.wants == 0 then
    redis.call('HDEL', key, self)
    return 0, 0
  end
  me.wants, me.made, me.ends, me.most = ask.wants, now, now + ask.ttl, ask.most
  -- Who has given one back and wants another goes behind those who wait.
  if ask.used < me.count or me.waits == 0 then
    me.waits = now
  end
  me.count = ask.used
  local fair, take_turns, has, lack, before = look_at_others(holders, self, me, ask.most)
  local free, more = ask.most - has - me.count, ask.wants - me.count
  local granted = math.max(0, math.min(more, fair - me.count, free - before))
  granted = granted + math.max(0, math.min(more, free - lack) - granted)
  me.count, free = me.count + granted, free - granted
  if me.count >= ask.wants then
    me.waits = 0
  elseif granted > 0 then
    me.waits = now
  end
  write_holder(key, self, me)
  redis.call('PEXPIRE', key, SLOT_KEEP_MS)
  -- To give back: what others lack, as far as nothing is free for them; what is too much.
  return me.count, math.max(0, math.min(me.count - (take_turns and 0 or fair), lack - free))
end

-- slots: holder, how long it holds, then for each route its name, slots wanted, in use, and the most. Replies for each route
-- the slots that it holds now, and how many of these others wait for.
function slots.hold(k, args)
  local now, self, ttl, reply = clock.now_ms(), args[1], tonumber(args[2]), { 'OK' }
  redis.call('ZREMRANGEBYSCORE', k[SLOT_ROUTES], '-inf', text(now - SLOT_KEEP_MS))
  for i = 2, #k do
    local at = 4 * i - 5
    redis.call('ZADD', k[SLOT_ROUTES], text(now), args[at])
    reply[2 * i - 2], reply[2 * i - 1] = hold(k[i], self, now, {
      wants = tonumber(args[at + 1]), used = tonumber(args[at + 2]), most = tonumber(args[at + 3]), ttl = ttl,
    })
  end
  return reply
end

-- slot_list: replies a row for each route and holder
function slots.list(k)
  local now, reply = clock.now_ms(), { 'OK' }
  for _, route in ipairs(redis.call('ZRANGE', k[SLOT_ROUTES], 0, -1)) do
    for name, holder in pairs(read_holders(k[SLOT_ROUTES]:gsub('routes$', 'at:') .. route, now)) do
      reply[#reply + 1] = {
        route, name, holder.count, holder.wants, holder.waits > 0 and since(holder.waits, now) or 0, holder.most,
      }
    end
  end
  return reply
end
