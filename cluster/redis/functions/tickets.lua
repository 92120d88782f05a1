-- tickets: the sealed keys of TLS session tickets. Key: the hash of them.
local TICKETS = 1

local tickets = {}

-- tickets. Replies now, serial (0: none), when it was turned, the sealed set.
function tickets.read(k)
  local v = redis.call('HMGET', k[TICKETS], 'serial', 'turned', 'sealed')
  return { 'OK', clock.now_ms(), tonumber(v[1] or 0), tonumber(v[2] or 0), v[3] or '' }
end

-- tickets_turn: the serial it replaces, its own, its age in ms, the sealed set
function tickets.turn(k, args)
  if (redis.call('HGET', k[TICKETS], 'serial') or '0') ~= args[1] then
    return { 'NOT' }
  end
  redis.call('HSET', k[TICKETS], 'serial', args[2], 'turned', text(clock.now_ms() - args[3]), 'sealed', args[4])
  return { 'OK' }
end
