-- sweep: the leader's upkeep of a shard. Keys: the shard's five; the indexes say which others there are.
local BATCH_MAX = 500

local sweep = {}

-- Due later than the schedule's longest step: Redis' clock went back.
local function bound_waiting(k, key, latest)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', latest), '+inf', 'LIMIT', 0,
    BATCH_MAX)) do
    redis.call('ZADD', key, latest, id)
  end
end

local function give_up_bodies(k, node)
  local key = keys.due_at(k, node)
  for _, id in ipairs(redis.call('ZRANGE', key, 0, BATCH_MAX - 1)) do
    redis.call('ZADD', k[DUE], redis.call('ZSCORE', key, id), id)
    redis.call('ZREM', key, id)
  end
end

local function apply_row(k, all, row)
  local node = row.node
  local floor = row.fate == FATE_FORGOTTEN and FENCE_MAX or row.floor
  if floor > (all.fences[node] or 0) then
    all.fences[node] = floor
    redis.call('HSET', k[SHARD], node, floor)
  end
  if row.fate ~= (all.fates[node] or FATE_ALIVE) then
    redis.call('HSET', k[SHARD], 'fate:' .. node, row.fate)
  end
  if row.fate == FATE_FORGOTTEN then
    redis.call('UNLINK', keys.news(k, node))
    give_up_bodies(k, node)
  end
end

-- Moves up to `room` messages of an ended incarnation. Returns how many, and how many of them were quarantined.
local function end_incarnation(k, incarnation, room, takeovers_max, now)
  local own_key, quarantined = keys.own(k, incarnation), 0
  local ids = redis.call('SPOP', own_key, room)
  for _, id in ipairs(ids) do
    local m = record.load(k, id, keys.message(k, id))
    if m and m.owner == incarnation then
      quarantined = quarantined + (record.count_takeover(k, m, takeovers_max) and 1 or 0)
      -- For anyone at once: no head start.
      record.let_go(k, m, now - HEAD_START_MS)
    end
  end
  if redis.call('EXISTS', own_key) == 0 then
    redis.call('HDEL', k[SHARD], incarnation)
  end
  return #ids, quarantined
end

-- Rows of node, floor, epoch, fate.
local function parse_rows(args, at)
  local rows = {}
  for i = at, #args, 4 do
    rows[#rows + 1] = {
      node = args[i], floor = tonumber(args[i + 1]), epoch = tonumber(args[i + 2]), fate = tonumber(args[i + 3]),
    }
  end
  return rows
end

-- sweep: generation, takeovers_max, wait_max (0: any), rows. Replies moved, quarantined, more, then unknown incarnations.
function sweep.sweep(k, args)
  local now, takeovers_max, wait_max = clock.now_ms(), tonumber(args[2]), tonumber(args[3])
  local refusal = fence.gate(k, args[1], now)
  if refusal then
    return refusal
  end
  local all, epochs = fence.read(k), {}
  for _, row in ipairs(parse_rows(args, 4)) do
    epochs[row.node] = row.epoch
    apply_row(k, all, row)
    if wait_max > 0 then
      bound_waiting(k, keys.due_at(k, row.node), now + wait_max)
    end
  end
  if wait_max > 0 then
    bound_waiting(k, k[DUE], now + wait_max)
  end
  local reply = { 'OK', 0, 0, 0 }
  for _, incarnation in ipairs(all.incarnations) do
    local node, epoch = node_of(incarnation), epoch_of(incarnation)
    if epoch <= (all.fences[node] or 0) then
      local room = BATCH_MAX - reply[2]
      local moved, quarantined = 0, 0
      if room > 0 then
        moved, quarantined = end_incarnation(k, incarnation, room, takeovers_max, now)
      end
      reply[2], reply[3] = reply[2] + moved, reply[3] + quarantined
      reply[4] = (room == 0 or moved == room) and 1 or reply[4]
    elseif not epochs[node] or epoch > epochs[node] then
      reply[#reply + 1] = incarnation
    end
  end
  return reply
end

-- Of `ids`, those that a journal holder still has to see, as a set.
local function awaited(k, all, ids)
  local found = {}
  for node in pairs(all.nodes) do
    if all.fates[node] ~= FATE_FORGOTTEN then
      local values = redis.call('HMGET', keys.news(k, node), unpack(ids))
      for i, id in ipairs(ids) do
        found[id] = found[id] or values[i]
      end
    end
  end
  return found
end

local function trim_tombstones(k, all, now, age_min)
  local found = redis.call('ZRANGEBYSCORE', k[GONE], '-inf', (now - age_min) * 8, 'WITHSCORES', 'LIMIT', 0, BATCH_MAX)
  local ids, dropped = {}, 0
  for i = 1, #found, 2 do
    ids[#ids + 1] = found[i]
  end
  if #ids == 0 then
    return 0
  end
  local wanted = awaited(k, all, ids)
  for i, id in ipairs(ids) do
    if wanted[id] then
      -- Looked at again when it would be old enough once more: it does not stand in the way of others.
      redis.call('ZADD', k[GONE], now * 8 + found[2 * i] % 8, id)
    else
      redis.call('ZREM', k[GONE], id)
      dropped = dropped + 1
    end
  end
  return dropped
end

local function trim_facts(k, all, now, age_min)
  local found = redis.call('HSCAN', k[FACTS], 0, 'COUNT', BATCH_MAX)[2]
  local ids = {}
  for i = 1, #found, 2 do
    if #ids < BATCH_MAX and tonumber(found[i + 1]:match('^%d+')) <= now - age_min then
      ids[#ids + 1] = found[i]
    end
  end
  if #ids == 0 then
    return 0
  end
  local wanted, dropped = awaited(k, all, ids), 0
  for _, id in ipairs(ids) do
    if not wanted[id] then
      redis.call('HDEL', k[FACTS], id)
      dropped = dropped + 1
    end
  end
  return dropped
end

-- trim: age
function sweep.trim(k, args)
  local all, now, age_min = fence.read(k), clock.now_ms(), tonumber(args[1])
  return { 'OK', trim_tombstones(k, all, now, age_min) + trim_facts(k, all, now, age_min) }
end

local function is_indexed(k, m)
  if m.owner ~= '' then
    return redis.call('SISMEMBER', keys.own(k, m.owner), m.id) == 1
  end
  if record.is_parked(m) then
    return redis.call('ZSCORE', k[HELD], m.id)
  end
  return redis.call('ZSCORE', k[DUE], m.id) or
    m.body_at ~= '' and redis.call('ZSCORE', keys.due_at(k, m.body_at), m.id)
end

-- repair: generation, ids
function sweep.repair(k, args)
  local now = clock.now_ms()
  local refusal = fence.gate(k, args[1], now)
  if refusal then
    return refusal
  end
  local repaired = 0
  for i = 2, #args do
    local m = record.load(k, args[i], keys.message(k, args[i]))
    if m and not is_indexed(k, m) then
      repaired = repaired + 1
      if m.owner == '' or fence.check(k, m.owner) then
        record.let_go(k, m, now)
      else
        -- Its owner finds it there, or the sweep.
        fence.index(k, m.owner, false)
        redis.call('SADD', keys.own(k, m.owner), m.id)
      end
    end
  end
  return { 'OK', repaired }
end
