-- clients: places for connections of one client, reserved by each node for itself: what nodes reserve never exceeds the
-- limit, so a node lets clients in without asking. Keys: nodes (incarnation -> ms of its last report), then a hash for
-- each client (incarnation -> places).
local CLIENT_NODES = 1
-- A node that is silent for this long has no connections; what it reserved is free.
local CLIENT_NODE_MS = 10000
-- A client's hash ends by itself; nodes report each client more often.
local CLIENT_KEEP_MS = 120000

local clients = {}

-- Those that have reported lately, the caller among them; and how many. A stamp from the future: the clock went back, and
-- the next report makes it right.
local function living(k, self, now)
  redis.call('HSET', k[CLIENT_NODES], self, text(now))
  local alive, count, flat = {}, 0, redis.call('HGETALL', k[CLIENT_NODES])
  for i = 1, #flat, 2 do
    local node, age = flat[i], now - flat[i + 1]
    local is_former_self = node ~= self and node_of(node) == node_of(self)
    if age >= 0 and age < CLIENT_NODE_MS and not is_former_self then
      alive[node], count = true, count + 1
    elseif age >= CLIENT_KEEP_MS or is_former_self then
      redis.call('HDEL', k[CLIENT_NODES], node)
    end
  end
  return alive, count
end

-- Places that the others have. What nobody alive has is given up.
local function of_others(key, self, alive)
  local sum, flat = 0, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    if not alive[flat[i]] then
      redis.call('HDEL', key, flat[i])
    elseif flat[i] ~= self then
      sum = sum + flat[i + 1]
    end
  end
  return sum
end

-- places: incarnation, nodes that it knows to live, then for each key the places in use, the limit, and '1' where none is wanted any more. Replies the
-- places that the node has now.
function clients.places(k, args)
  local self, now = args[1], clock.now_ms()
  local alive, nodes = living(k, self, now)
  -- Who has no clients does not report.
  nodes = math.max(nodes, tonumber(args[2]))
  local reply = { 'OK' }
  for i = 2, #k do
    local used, most, leaves = tonumber(args[3 * i - 3]), tonumber(args[3 * i - 2]), args[3 * i - 1]
    if leaves == '1' then
      redis.call('HDEL', k[i], self)
      reply[i] = 0
    else
      local free = math.max(0, most - of_others(k[i], self, alive) - used)
      reply[i] = used + math.ceil(free / nodes)
      redis.call('HSET', k[i], self, reply[i])
      redis.call('PEXPIRE', k[i], CLIENT_KEEP_MS)
    end
  end
  return reply
end
