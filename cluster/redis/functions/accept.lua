-- accept: how a message comes into Redis, and comes back.
-- Keys: the shard's five, record, own set, pieces.
local PIECES = 8

local accept = {}

-- accept: incarnation, message
function accept.accept(k, args)
  local incarnation = args[1]
  local refusal, known = fence.check(k, incarnation)
  refusal = refusal or record.tombstone(k, args[2])
  if refusal then
    return refusal
  end
  if redis.call('EXISTS', k[MSG]) == 1 then
    local m = record.load(k, args[2], k[MSG])
    return m.owner == incarnation and record.turn_reply(m) or { 'HELD' }
  end
  local msg = message.parse(k, args, 2, PIECES)
  if not message.is_whole(k, msg) then
    return { 'BODY' }
  end
  fence.index(k, incarnation, known)
  local m, ended = message.create(k, msg, k[MSG], node_of(incarnation), incarnation, 1)
  return ended or record.turn_reply(m)
end

-- The body is looked at where it will be needed: a new record, or one that had none.
local function lacks_body(k, m, msg)
  return (not m or m.pieces == 0) and not message.is_whole(k, msg)
end

-- Who has a copy, and what it says of recipients, goes into the record. Returns the reply if that ended the message.
local function unite(k, m, msg, holder)
  if holder then
    m.holders = list_add(m.holders, holder)
    redis.call('HSET', m.key, 'h', m.holders)
    if m.origin == '' then
      m.origin = holder
      redis.call('HSET', m.key, 'f', holder)
    end
  end
  local united = settled.unite(m.settled, msg.settled)
  if united ~= m.settled then
    m.settled = united
    if not settled.is_pending(united) then
      return record.finish(k, m, settled.why(united))
    end
    redis.call('HSET', m.key, 's', united)
    record.tell(k, m.id, m.holders, settled.news(PENDING, united))
  end
  return nil
end

-- The same, and the body.
local function merge(k, m, msg, holder)
  message.complete_body(k, msg, m)
  return unite(k, m, msg, holder)
end

-- A record that nobody owns, for a journal holder. Returns it, or nil and the reply that says it ended.
local function make_unowned(k, msg, node, turn)
  local m, ended = message.create(k, msg, k[MSG], node, '', turn)
  if m then
    record.let_go(k, m, clock.now_ms())
  end
  return m, ended
end

local function is_anothers(m, incarnation)
  return m.owner ~= '' and node_of(m.owner) ~= node_of(incarnation)
end

-- A repeat by an older incarnation of the same node, not yet fenced.
local function is_newer_selfs(m, incarnation)
  return m.owner ~= '' and not is_anothers(m, incarnation) and epoch_of(m.owner) > epoch_of(incarnation)
end

-- The caller's process died while it owned this, once too often.
local function died_too_often(k, m, call)
  return call.turn == 0 and m.owner ~= '' and m.owner ~= call.incarnation and
    record.count_takeover(k, m, call.takeovers_max)
end

local function adopt_existing(k, m, msg, call)
  local ended = merge(k, m, msg, call.holder)
  if ended then
    return ended
  end
  if died_too_often(k, m, call) then
    return record.let_go(k, m, 0) or { 'HELD' }
  end
  if m.owner == '' and (record.is_parked(m) or call.turn == 0 and call.in_grace) then
    return { 'HELD' }
  end
  if call.turn >= m.turn then
    redis.call('HSET', m.key, 'e', msg.env)
  end
  fence.index(k, call.incarnation, call.known)
  record.give(k, m, call.incarnation, math.max(m.turn, call.turn) + 1)
  return record.turn_reply(m)
end

local function adopt_absent(k, msg, call)
  -- Long delivered and forgotten; but after a loss it is the owner who speaks first, before those who hold a copy.
  if not call.holder and (call.turn == 0 or not call.in_grace) then
    return { 'GONE', PENDING }
  end
  local m, ended
  if call.turn == 0 and call.in_grace then
    -- Who knows who owns it: somebody may say so before the grace is over.
    m, ended = make_unowned(k, msg, call.holder, 0)
    return ended or { 'HELD' }
  end
  fence.index(k, call.incarnation, call.known)
  m, ended = message.create(k, msg, k[MSG], call.holder or '', call.incarnation, call.turn + 1)
  return ended or record.turn_reply(m)
end

-- adopt: incarnation, message, turn, is holder, takeovers_max
function accept.adopt(k, args)
  local incarnation = args[1]
  local refusal, known = fence.check(k, incarnation)
  refusal = refusal or record.tombstone(k, args[2])
  if refusal then
    return refusal
  end
  local msg = message.parse(k, args, 2, PIECES)
  local now = clock.now_ms()
  local call = {
    incarnation = incarnation, known = known, turn = tonumber(args[9]),
    holder = args[10] == '1' and node_of(incarnation), takeovers_max = tonumber(args[11]),
    in_grace = grace.is_open(k, now),
  }
  local m = record.load(k, msg.id, k[MSG])
  if m and is_newer_selfs(m, incarnation) then
    return { 'NOT' }
  end
  if m and is_anothers(m, incarnation) and call.turn <= m.turn then
    -- Its copy is to hear of the end all the same.
    return unite(k, m, msg, call.holder) or { 'NOT' }
  end
  if lacks_body(k, m, msg) then
    return { 'BODY' }
  end
  if call.in_grace then
    grace.extend(k, now)
  end
  if m then
    return adopt_existing(k, m, msg, call)
  end
  return adopt_absent(k, msg, call)
end

-- keep: incarnation, message, turn
function accept.keep(k, args)
  local incarnation, turn = args[1], tonumber(args[9])
  local node = node_of(incarnation)
  local refusal, known = fence.check(k, incarnation)
  refusal = refusal or record.tombstone(k, args[2])
  if refusal then
    return refusal
  end
  local msg = message.parse(k, args, 2, PIECES)
  local m = record.load(k, msg.id, k[MSG])
  if lacks_body(k, m, msg) then
    return { 'BODY' }
  end
  -- Trim finds the holder's news by this.
  fence.index(k, incarnation, known)
  local ended
  if not m then
    m, ended = make_unowned(k, msg, node, turn)
    return ended or record.turn_reply(m)
  end
  ended = merge(k, m, msg, node)
  -- An older state says that the caller owns it. A later turn is one that this (late) call does not know of.
  if not ended and m.owner ~= '' and node_of(m.owner) == node and m.turn <= turn then
    ended = record.let_go(k, m, clock.now_ms())
  end
  return ended or record.turn_reply(m)
end
