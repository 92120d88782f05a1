-- grace: after Redis changed (another replication id) nothing is given out until the living nodes have said again what
-- they own and what they finished: what this Redis believes may be older.
local GRACE_MS = 6000
-- A node that is still at it moves the end on, step by step, so far and no further.
local GRACE_STEP_MS = 2000
local GRACE_MAX_MS = 60000

local grace = {}

function grace.is_open(k, now)
  local till = tonumber(redis.call('HGET', k[SHARD], 'grace'))
  return till ~= nil and till > now
end

function grace.extend(k, now)
  local found = redis.call('HMGET', k[SHARD], 'grace', 'grace_end')
  local till, last = tonumber(found[1]), tonumber(found[2])
  if till and till > now and till < now + GRACE_STEP_MS then
    redis.call('HSET', k[SHARD], 'grace', math.min(now + GRACE_STEP_MS, last))
  end
end

-- recover: generation
function grace.recover(k, args)
  if redis.call('HGET', k[SHARD], 'gen') ~= args[1] then
    local now = clock.now_ms()
    redis.call('HSET', k[SHARD], 'gen', args[1], 'grace', now + GRACE_MS, 'grace_end', now + GRACE_MAX_MS)
  end
  return 'OK'
end

-- asserted: incarnation, generation, living nodes ('': the caller cannot know; then the grace ends by time)
function grace.asserted(k, args)
  local incarnation, generation = args[1], args[2]
  local refusal = fence.check(k, incarnation)
  if refusal then
    return refusal
  end
  if redis.call('HGET', k[SHARD], 'gen') ~= generation then
    return { 'NEWGEN' }
  end
  redis.call('HSET', k[SHARD], 'asserted:' .. node_of(incarnation), generation)
  if args[3] == '' then
    return 'OK'
  end
  for node in args[3]:gmatch('%S+') do
    if redis.call('HGET', k[SHARD], 'asserted:' .. node) ~= generation then
      return 'OK'
    end
  end
  redis.call('HSET', k[SHARD], 'grace', 0)
  return 'OK'
end
