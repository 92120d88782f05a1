-- settle: how work on a message ends.
-- Keys: settle, withdraw: the shard's five, record, news of the caller. defer: the shard's five, record, own set.
-- bounce: the shard's five, record, own set, the DSN's record, the DSN's pieces.
local NEWS, DSN, DSN_PIECES = 7, 8, 9

local settle = {}

-- A journal has read its news: pairs of id and what it has of it ('': the end). News that grew meanwhile stays.
function settle.acknowledge(news, args, at)
  for i = at, #args, 2 do
    local id, read = args[i], args[i + 1]
    if read == '' or redis.call('HGET', news, id) == settled.news(PENDING, read) then
      redis.call('HDEL', news, id)
    end
  end
end

-- Facts about a message that Redis does not know (it lost it, or will hear of it): kept, or the end if nothing is open.
local function settle_unknown(k, id, facts, holders)
  local known = redis.call('HGET', k[FACTS], id)
  local all = known and settled.unite(known:match('%d+$'), facts) or facts
  local value
  for node in holders:gmatch('%S+') do
    redis.call('HSET', k[SHARD], 'holder:' .. node, 1)
  end
  if settled.is_pending(all) then
    redis.call('HSET', k[FACTS], id, string.format('%.0f %s', clock.now_ms(), all))
    value = settled.news(PENDING, all)
  else
    local why = settled.why(all)
    redis.call('HDEL', k[FACTS], id)
    redis.call('ZADD', k[GONE], clock.now_ms() * 8 + why, id)
    value = settled.news(why, all)
  end
  record.tell(k, id, holders, value)
end

-- Recipients of a record are settled: the end, or news.
local function settle_known(k, m, facts)
  local united = settled.unite(m.settled, facts)
  if not settled.is_pending(united) then
    m.settled = united
    record.finish(k, m, settled.why(united))
  elseif united ~= m.settled then
    m.settled = united
    redis.call('HSET', m.key, 's', united)
    record.tell(k, m.id, m.holders, settled.news(PENDING, united))
  end
end

-- settle: id, settled, holders, then what was seen. No fence, no turn, no owner: it can only end what is done.
function settle.settle(k, args)
  local id, facts, holders = args[1], args[2], args[3]
  local m = record.load(k, id, k[MSG])
  if m and #m.settled ~= #facts then
    return redis.error_reply('SETTLED of another length')
  end
  settle.acknowledge(k[NEWS], args, 4)
  if m then
    record.add_holders(k, m, holders)
    settle_known(k, m, facts)
  elseif facts:find('[^0]') and not redis.call('ZSCORE', k[GONE], id) then
    settle_unknown(k, id, facts, holders)
  end
  return 'OK'
end

-- The refusal of a call that needs the turn it was owned in, or nil.
local function check_turn(k, id, m, incarnation, turn)
  if not m then
    return record.gone(k, id)
  end
  if m.owner ~= incarnation or m.turn ~= turn then
    return { 'NOT' }
  end
  return nil
end

-- defer: id, incarnation, turn, delay, attempts, envelope ('': as it was)
function settle.defer(k, args)
  local id, incarnation, attempts, env = args[1], args[2], tonumber(args[5]), args[6]
  local refusal = fence.check(k, incarnation)
  if refusal then
    return refusal
  end
  local m = record.load(k, id, k[MSG])
  refusal = check_turn(k, id, m, incarnation, tonumber(args[3]))
  if refusal then
    return refusal
  end
  if attempts > m.attempts then
    -- An attempt came to its end, so its message does not kill.
    redis.call('HSET', m.key, 'a', attempts, 'n', 0)
  end
  if env ~= '' then
    redis.call('HSET', m.key, 'e', env)
  end
  return record.let_go(k, m, clock.now_ms() + tonumber(args[4])) or 'OK'
end

-- What has become of a DSN that this call, or an earlier copy of it, brought.
local function dsn_reply(k, dsn, incarnation)
  local m = record.load(k, dsn.id, k[DSN])
  if not m then
    return { 'OK', 0, '' }
  end
  return m.owner == incarnation and record.turn_reply(m) or { 'HELD' }
end

-- bounce: id, incarnation, turn, settled, DSN
function settle.bounce(k, args)
  local id, incarnation, facts = args[1], args[2], args[4]
  local refusal, known = fence.check(k, incarnation)
  if refusal then
    return refusal
  end
  local m = record.load(k, id, k[MSG])
  local dsn = message.parse(k, args, 5, DSN_PIECES)
  local exists = redis.call('EXISTS', k[DSN]) == 1
  local ended = redis.call('ZSCORE', k[GONE], dsn.id)
  if not m then
    return (exists or ended) and dsn_reply(k, dsn, incarnation) or record.gone(k, id)
  end
  if settled.covers(m.settled, facts) then
    return dsn_reply(k, dsn, incarnation)
  end
  refusal = check_turn(k, id, m, incarnation, tonumber(args[3]))
  if refusal then
    return refusal
  end
  if not exists and not ended then
    if not message.is_whole(k, dsn) then
      return { 'BODY' }
    end
    fence.index(k, incarnation, known)
    message.create(k, dsn, k[DSN], node_of(incarnation), incarnation, 1)
  end
  settle_known(k, m, facts)
  return dsn_reply(k, dsn, incarnation)
end

-- withdraw: id, node
function settle.withdraw(k, args)
  local id, node = args[1], args[2]
  local tombstone = record.tombstone(k, id)
  if tombstone then
    return { tombstone[2] == WITHDRAWN and 'OK' or 'NOT' }
  end
  local m = record.load(k, id, k[MSG])
  if m and m.owner ~= '' and node_of(m.owner) ~= node then
    return { 'NOT' }
  end
  if m then
    m.settled = settled.close(m.settled, WITHDRAWN)
    record.finish(k, m, WITHDRAWN)
    return { 'OK' }
  end
  -- A late accept must not begin it.
  redis.call('HSET', k[SHARD], 'holder:' .. node, 1)
  redis.call('HDEL', k[FACTS], id)
  redis.call('ZADD', k[GONE], clock.now_ms() * 8 + WITHDRAWN, id)
  record.tell(k, id, node, settled.news(WITHDRAWN, ''))
  return { 'OK' }
end
