-- record: the hash of one message, and the moves that keep it and the indexes in step. A record is in exactly one of:
-- its owner's set, due (or due:<node>), held.
--
--   o owner ('' nobody)   t turn         f origin      h holders        e envelope   s settled   z size   p pieces
--   b the node that alone has the body   x flags       n takeovers      a attempts   c created   y expires
local HEAD_START_MS = 2000
local FLAG_HOLD, FLAG_CANCEL, FLAG_QUARANTINE = 'h', 'c', 'q'

local record = {}

-- Without envelope and what is only shown. Nil when there is none.
function record.load(k, id, key)
  local v = redis.call('HMGET', key, 'o', 't', 's', 'h', 'f', 'p', 'b', 'x', 'n', 'a')
  if not v[2] then
    return nil
  end
  return {
    id = id, key = key, owner = v[1], turn = tonumber(v[2]), settled = v[3], holders = v[4], origin = v[5],
    pieces = tonumber(v[6]), body_at = v[7] or '', flags = v[8] or '', takeovers = tonumber(v[9] or 0),
    attempts = tonumber(v[10] or 0),
  }
end

function record.has(m, flag)
  return m.flags:find(flag, 1, true) ~= nil
end

function record.is_parked(m)
  return record.has(m, FLAG_HOLD) or record.has(m, FLAG_QUARANTINE)
end

function record.set_flag(m, flag, on)
  local without = m.flags:gsub(flag, '')
  m.flags = on and without .. flag or without
  redis.call('HSET', m.key, 'x', m.flags)
end

function record.turn_reply(m)
  return { 'OK', m.turn, m.settled }
end

-- The reply about an id without a record.
function record.gone(k, id)
  local score = redis.call('ZSCORE', k[GONE], id)
  return { 'GONE', score and score % 8 or PENDING }
end

-- The same, or nil if there is no tombstone either.
function record.tombstone(k, id)
  local score = redis.call('ZSCORE', k[GONE], id)
  return score and { 'GONE', score % 8 } or nil
end

-- News for every journal that has the message.
function record.tell(k, id, holders, value)
  for node in holders:gmatch('%S+') do
    redis.call('HSET', keys.news(k, node), id, value)
  end
end

-- Holders that the caller knows and the record may not. Trim must find their news.
function record.add_holders(k, m, list)
  if list == m.holders then
    return
  end
  for node in list:gmatch('%S+') do
    if not list_has(m.holders, node) then
      m.holders = list_add(m.holders, node)
      redis.call('HSET', m.key, 'h', m.holders)
      redis.call('HSET', k[SHARD], 'holder:' .. node, 1)
    end
  end
end

local function unlink(k, m)
  if m.pieces == 1 then
    redis.call('UNLINK', m.key, keys.piece(k, m.id, '0'))
    return
  end
  redis.call('UNLINK', m.key)
  for i = 0, m.pieces - 1 do
    redis.call('UNLINK', keys.piece(k, m.id, i))
  end
end

-- Out of the index it is in.
function record.unindex(k, m)
  if m.owner ~= '' then
    redis.call('SREM', keys.own(k, m.owner), m.id)
  elseif record.is_parked(m) then
    redis.call('ZREM', k[HELD], m.id)
  elseif m.body_at ~= '' then
    -- A forgotten node's messages are in `due`.
    redis.call('ZREM', keys.due_at(k, m.body_at), m.id)
    redis.call('ZREM', k[DUE], m.id)
  else
    redis.call('ZREM', k[DUE], m.id)
  end
end

-- Ends the message: m.settled must have nothing pending. Returns the reply that says so.
function record.finish(k, m, why)
  unlink(k, m)
  record.unindex(k, m)
  redis.call('ZADD', k[GONE], text(clock.now_ms() * 8 + why), m.id)
  record.tell(k, m.id, m.holders, settled.news(why, m.settled))
  return { 'GONE', why }
end

function record.cancel(k, m)
  m.settled = settled.close(m.settled, CANCELLED)
  return record.finish(k, m, CANCELLED)
end

-- Nobody's from now on: due at `at`, unless an operator wants something else. Returns the reply if that ended the message.
-- The only way to lose an owner, so a message with a cancel to honour always has one.
function record.let_go(k, m, at)
  if record.has(m, FLAG_CANCEL) then
    return record.cancel(k, m)
  end
  record.unindex(k, m)
  m.owner = ''
  redis.call('HSET', m.key, 'o', '')
  if record.is_parked(m) then
    redis.call('ZADD', k[HELD], record.has(m, FLAG_QUARANTINE) and 1 or 0, m.id)
  else
    redis.call('ZADD', m.body_at == '' and k[DUE] or keys.due_at(k, m.body_at), at, m.id)
  end
  return nil
end

-- The owner's process ended. Counted, so that a message that kills its owners is set aside: true if it is now.
function record.count_takeover(k, m, takeovers_max)
  m.takeovers = m.takeovers + 1
  redis.call('HSET', m.key, 'n', m.takeovers)
  if takeovers_max == 0 or m.takeovers <= takeovers_max then
    return false
  end
  record.set_flag(m, FLAG_QUARANTINE, true)
  return true
end

-- The incarnation's from now on. The incarnation is in the shard's index already.
function record.give(k, m, incarnation, turn)
  record.unindex(k, m)
  m.owner, m.turn = incarnation, turn
  redis.call('HSET', m.key, 'o', incarnation, 't', turn, 'h', m.holders)
  redis.call('SADD', keys.own(k, incarnation), m.id)
end

-- The reply that hands a record over: see decode_record() in queue_records.c.
function record.reply(k, m, node, now)
  local v = redis.call('HMGET', m.key, 'e', 'z', 'c', 'y')
  return {
    m.id, m.turn, v[1], m.settled, tonumber(v[2]), m.pieces, m.attempts, m.takeovers, math.max(0, now - v[3]),
    math.max(0, v[4] - now), m.origin, m.body_at, list_has(m.holders, node) and 1 or 0, m.flags,
  }
end
