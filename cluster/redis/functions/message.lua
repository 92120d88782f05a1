-- message: what accept, adopt, keep and bounce bring along to make a record of.
-- Arguments: id, envelope, settled, size, age, expires in, attempts. The pieces of the body are the last keys.
local message = {}

function message.parse(k, args, at, first_piece)
  return {
    id = args[at], env = args[at + 1], settled = args[at + 2], size = args[at + 3], age = args[at + 4],
    expires = args[at + 5], attempts = args[at + 6],
    first = first_piece, pieces = #k - first_piece + 1,
  }
end

-- Every piece is there, and they are as long as they should be. So is a body that stays with its node.
function message.is_whole(k, msg)
  local total = 0
  for i = msg.first, #k do
    local len = redis.call('STRLEN', k[i])
    if len == 0 then
      return false
    end
    total = total + len
  end
  return msg.pieces == 0 or total == tonumber(msg.size)
end

local function persist(k, msg)
  for i = msg.first, #k do
    redis.call('PERSIST', k[i])
  end
end

-- Makes the record, owned by `owner` ('': the caller puts it into an index by letting it go). What was reported about the
-- message before it was known is applied. Returns nil if that ended it: then the reply that says so.
function message.create(k, msg, key, node, owner, turn)
  local m = {
    id = msg.id, key = key, owner = '', turn = turn, settled = msg.settled, holders = node, origin = node,
    pieces = msg.pieces, body_at = msg.pieces == 0 and node or '', flags = '', takeovers = 0,
    attempts = tonumber(msg.attempts),
  }
  local fact = redis.call('HGET', k[FACTS], m.id)
  if fact then
    redis.call('HDEL', k[FACTS], m.id)
    m.settled = settled.unite(m.settled, fact:match('%d+$'))
  end
  if not settled.is_pending(m.settled) then
    return nil, record.finish(k, m, settled.why(m.settled))
  end
  local now = clock.now_ms()
  persist(k, msg)
  redis.call('HSET', key, 'o', owner, 't', text(turn), 'f', node, 'h', node, 'e', msg.env, 's', m.settled, 'z', msg.size,
    'p', text(msg.pieces), 'a', msg.attempts, 'c', text(now - msg.age), 'y', text(now + msg.expires))
  if m.body_at ~= '' then
    redis.call('HSET', key, 'b', m.body_at)
  end
  if owner ~= '' then
    m.owner = owner
    redis.call('SADD', keys.own(k, owner), m.id)
  end
  return m
end

-- The caller has put the body of a record that had none: no longer bound to one node.
function message.complete_body(k, msg, m)
  if msg.pieces == 0 or m.pieces > 0 then
    return
  end
  persist(k, msg)
  local at = m.owner == '' and not record.is_parked(m) and
    (redis.call('ZSCORE', keys.due_at(k, m.body_at), m.id) or redis.call('ZSCORE', k[DUE], m.id))
  if at then
    redis.call('ZREM', keys.due_at(k, m.body_at), m.id)
    redis.call('ZADD', k[DUE], at, m.id)
  end
  m.pieces, m.body_at = msg.pieces, ''
  redis.call('HSET', m.key, 'p', m.pieces, 'b', '')
end
