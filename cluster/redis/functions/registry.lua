-- registry: nodes, leases, leader. Keys: META, NODES, LEADER, then the caller's (or the named) node.
-- A node's hash: epoch, counter, state, floor, drain, and what is shown of it. The lease is epoch, counter and state.
local META, NODES, LEADER, NODE = 1, 2, 3, 4
local NODE_ALIVE, NODE_DEAD, NODE_LEFT, NODE_FORGOTTEN = 0, 1, 2, 3

local registry = {}

-- The hash of any node: KEYS name only the one that the call is about.
local function node_key(k, node)
  return k[META] .. ':node:' .. node
end

local function lease(key)
  local v = redis.call('HMGET', key, 'epoch', 'counter', 'state', 'floor')
  return {
    epoch = tonumber(v[1] or 0), counter = tonumber(v[2] or 0), state = tonumber(v[3] or NODE_DEAD),
    floor = tonumber(v[4] or 0),
  }
end

-- The refusal, or nil if the epoch is the registered one and lives.
local function check_lease(key, epoch)
  local held = lease(key)
  if held.state ~= NODE_ALIVE or held.epoch ~= tonumber(epoch) then
    return { 'FENCED', held.epoch }
  end
  return nil
end

-- open: cluster id, must match, shards, format. Replies id, shards, format, last write ago.
function registry.open(k, args)
  local v = redis.call('HMGET', k[META], 'id', 'shards', 'format', 'written')
  if not v[1] then
    redis.call('HSET', k[META], 'id', args[1], 'shards', args[3], 'format', args[4])
    v = { args[1], args[3], args[4], false }
  end
  if v[3] ~= args[4] then
    return { 'REFUSED', 'FORMAT' }
  end
  if args[2] == '1' and v[1] ~= args[1] then
    return { 'REFUSED', 'CLUSTER' }
  end
  local ago = v[4] and math.max(1, clock.now_ms() - v[4]) or 0
  return { 'OK', v[1], tonumber(v[2]), tonumber(v[3]), ago }
end

local function is_name_taken(k, node, name)
  local all = redis.call('HGETALL', k[NODES])
  for i = 1, #all, 2 do
    if all[i] ~= node and all[i + 1] == name and lease(node_key(k, all[i])).state == NODE_ALIVE then
      return true
    end
  end
  return false
end

-- register: node, name, host, address, admin, version, last epoch, told fence
function registry.register(k, args)
  local node, name, host = args[1], args[2], args[3]
  local held = lease(k[NODE])
  if held.state == NODE_FORGOTTEN then
    return { 'REFUSED', 'FORGOTTEN' }
  end
  if held.state == NODE_ALIVE and redis.call('HGET', k[NODE], 'host') ~= host then
    return { 'REFUSED', 'HOST' }
  end
  if is_name_taken(k, node, name) then
    return { 'REFUSED', 'NAME' }
  end
  local epoch = math.max(clock.now_us(), args[7] + 1, held.epoch + 1, args[8] + 1)
  redis.call('HSET', k[NODES], node, name)
  redis.call('HSET', k[NODE], 'name', name, 'host', host, 'address', args[4], 'admin', args[5], 'version', args[6],
    'epoch', epoch, 'counter', 0, 'state', NODE_ALIVE, 'floor', held.floor)
  return { 'OK', epoch }
end

-- renew: epoch, load
function registry.renew(k, args)
  local refusal = check_lease(k[NODE], args[1])
  if refusal then
    return refusal
  end
  if args[2] ~= '' then
    redis.call('HSET', k[NODE], 'load', args[2])
  end
  redis.call('HSET', k[META], 'written', clock.now_ms())
  local counter = redis.call('HINCRBY', k[NODE], 'counter', 1)
  return { 'OK', counter, redis.call('HGET', k[NODE], 'drain') == '1' and 1 or 0 }
end

-- kill: epoch, counter, left
function registry.kill(k, args)
  local epoch, held = tonumber(args[1]), lease(k[NODE])
  if held.epoch == epoch and (held.state == NODE_DEAD or held.state == NODE_LEFT) then
    return { 'OK' }
  end
  if held.state ~= NODE_ALIVE or held.epoch ~= epoch or held.counter ~= tonumber(args[2]) then
    return { 'ALIVE' }
  end
  redis.call('HSET', k[NODE], 'state', args[3] == '1' and NODE_LEFT or NODE_DEAD, 'floor', math.max(held.floor, epoch))
  return { 'OK' }
end

-- settled: epoch
function registry.settled(k, args)
  local refusal = check_lease(k[NODE], args[1])
  if refusal then
    return refusal
  end
  redis.call('HSET', k[NODE], 'floor', math.max(lease(k[NODE]).floor, args[1] - 1))
  return { 'OK' }
end

-- lead: incarnation, stale leader ('' none), its counter. Replies whether it is the caller, who leads, and the counter.
function registry.lead(k, args)
  local incarnation, stale, stale_counter = args[1], args[2], tonumber(args[3])
  local refusal = check_lease(k[NODE], epoch_of(incarnation))
  if refusal then
    return refusal
  end
  local v = redis.call('HMGET', k[LEADER], 'node', 'counter')
  local leader, counter = v[1] or '', tonumber(v[2] or 0)
  if leader ~= '' and leader ~= incarnation and not (leader == stale and counter == stale_counter) then
    return { 'OK', 0, leader, counter }
  end
  counter = leader == incarnation and counter + 1 or 0
  redis.call('HSET', k[LEADER], 'node', incarnation, 'counter', counter)
  return { 'OK', 1, incarnation, counter }
end

-- forget. The entry stays: it is how every shard hears of it.
function registry.forget(k)
  if redis.call('EXISTS', k[NODE]) == 0 then
    return { 'GONE', PENDING }
  end
  if lease(k[NODE]).state == NODE_ALIVE then
    return { 'ALIVE' }
  end
  redis.call('HSET', k[NODE], 'state', NODE_FORGOTTEN)
  return { 'OK' }
end

-- drain: '1' or '0'
function registry.drain(k, args)
  if redis.call('EXISTS', k[NODE]) == 0 then
    return { 'GONE', PENDING }
  end
  redis.call('HSET', k[NODE], 'drain', args[1])
  return { 'OK' }
end

-- nodes: replies leader, its counter, then a row per node
function registry.nodes(k)
  local v = redis.call('HMGET', k[LEADER], 'node', 'counter')
  local reply = { 'OK', v[1] or '', tonumber(v[2] or 0) }
  for _, node in ipairs(redis.call('HKEYS', k[NODES])) do
    local n = redis.call('HMGET', node_key(k, node), 'name', 'host', 'address', 'admin', 'version', 'load', 'drain')
    local held = lease(node_key(k, node))
    reply[#reply + 1] = {
      node, n[1] or '', n[2] or '', n[3] or '', n[4] or '', n[5] or '', n[6] or '', held.epoch, held.counter, held.floor,
      held.state, n[7] == '1' and 1 or 0,
    }
  end
  return reply
end
