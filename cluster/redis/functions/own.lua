-- own: how messages find an owner.
-- Keys: claim: the shard's five, own set, due set of the caller's own bodies. takeup: the shard's five, record, own set.
local OWN = 7
-- How many of those that are in their origin's head start one claim looks at.
local CLAIM_LOOK_MAX = 100

local own = {}

-- Of a message that only its owner told of nobody knows the origin: as good as dead, its copies are counted by nobody.
local function fate_of(k, node, fates)
  if node == '' then
    return FATE_DEAD
  end
  local fate = fates[node]
  if not fate then
    fate = tonumber(redis.call('HGET', k[SHARD], 'fate:' .. node) or FATE_ALIVE)
    fates[node] = fate
  end
  return fate
end

-- The due ids that the caller may have, oldest first. What is due since less than the head start is the origin's.
local function find_due(k, node, now, count)
  local ids = redis.call('ZRANGEBYSCORE', k[7], '-inf', now, 'LIMIT', 0, count)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', k[DUE], '-inf', now - HEAD_START_MS, 'LIMIT', 0, count - #ids)) do
    ids[#ids + 1] = id
  end
  if #ids == count then
    return ids
  end
  local fresh = redis.call('ZRANGEBYSCORE', k[DUE], '(' .. string.format('%.0f', now - HEAD_START_MS), now, 'LIMIT', 0,
    CLAIM_LOOK_MAX)
  for _, id in ipairs(fresh) do
    local origin = #ids < count and redis.call('HGET', keys.message(k, id), 'f')
    if origin == node then
      ids[#ids + 1] = id
    end
  end
  return ids
end

-- claim: incarnation, generation, count
function own.claim(k, args)
  local incarnation, generation, count = args[1], args[2], tonumber(args[3])
  local node, now = node_of(incarnation), clock.now_ms()
  local refusal, known = fence.check(k, incarnation)
  refusal = refusal or fence.gate(k, generation, now)
  if refusal then
    return refusal
  end
  local out, fates = { 'OK' }, {}
  for _, id in ipairs(find_due(k, node, now, count)) do
    local m = record.load(k, id, keys.message(k, id))
    if m then
      if fate_of(k, m.origin, fates) ~= FATE_ALIVE then
        m.holders = list_add(m.holders, node)
      end
      fence.index(k, incarnation, known)
      known = true
      record.give(k, m, incarnation, m.turn + 1)
      out[#out + 1] = record.reply(k, m, node, now)
    else
      redis.call('ZREM', k[DUE], id)
      redis.call('ZREM', k[7], id)
    end
  end
  return out
end

-- takeup: id, incarnation, generation
function own.takeup(k, args)
  local id, incarnation, generation = args[1], args[2], args[3]
  local now = clock.now_ms()
  local refusal, known = fence.check(k, incarnation)
  refusal = refusal or fence.gate(k, generation, now)
  if refusal then
    return refusal
  end
  local m = record.load(k, id, k[MSG])
  if not m or m.owner ~= incarnation then
    redis.call('SREM', k[OWN], id)
    return { 'NOT' }
  end
  fence.index(k, incarnation, known)
  record.give(k, m, incarnation, m.turn + 1)
  return { 'OK', record.reply(k, m, node_of(incarnation), now) }
end
