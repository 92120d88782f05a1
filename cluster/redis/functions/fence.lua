-- fence: who may call, and whether anything is given out. All of it is in the shard's hash:
--   <uuid>          fence: epochs up to this one have ended
--   <uuid>#<epoch>  an incarnation that may own messages here (index of the own sets)
--   fate:<uuid>     1 dead, 2 forgotten; absent: alive
--   holder:<uuid>   told of ends without ever having owned anything here
--   gen, grace, grace_end, asserted:<uuid>   see grace.lua
local FATE_ALIVE, FATE_DEAD, FATE_FORGOTTEN = 0, 1, 2
-- No epoch is above it: the fence of a forgotten node.
local FENCE_MAX = 9007199254740991

local fence = {}

-- The refusal, or nil. `known` comes back true if the incarnation is in the index.
function fence.check(k, incarnation)
  local found = redis.call('HMGET', k[SHARD], node_of(incarnation), incarnation)
  local highest = tonumber(found[1])
  if highest and epoch_of(incarnation) <= highest then
    return { 'FENCED', highest }
  end
  return nil, found[2] ~= false
end

-- Before anything is added to an own set.
function fence.index(k, incarnation, known)
  if not known then
    redis.call('HSET', k[SHARD], incarnation, 1)
  end
end

-- The refusal of a call that gives something out, or nil.
function fence.gate(k, generation, now)
  local found = redis.call('HMGET', k[SHARD], 'gen', 'grace')
  if found[1] ~= generation then
    return { 'NEWGEN' }
  end
  local grace = tonumber(found[2])
  if grace > now then
    return { 'WAIT', grace - now }
  end
  return nil
end

-- The whole hash, sorted out.
function fence.read(k)
  local all = { fences = {}, incarnations = {}, fates = {}, nodes = {} }
  local flat = redis.call('HGETALL', k[SHARD])
  for i = 1, #flat, 2 do
    local field, value = flat[i], flat[i + 1]
    local kind, node = field:match('^(%l+):(.+)$')
    if kind == 'fate' then
      all.fates[node] = tonumber(value)
    elseif kind == 'holder' then
      all.nodes[node] = true
    elseif #field == UUID_LEN then
      all.fences[field] = tonumber(value)
      all.nodes[field] = true
    elseif field:sub(UUID_LEN + 1, UUID_LEN + 1) == '#' then
      all.incarnations[#all.incarnations + 1] = field
      all.nodes[node_of(field)] = true
    elseif field == 'gen' or field == 'grace' then
      all[field] = value
    end
  end
  table.sort(all.incarnations)
  return all
end
