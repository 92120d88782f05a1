-- operator: what skeinctl asks for. Keys: the shard's five, record. Arguments: id.
local operator = {}

function operator.hold(k, args)
  local m = record.load(k, args[1], k[MSG])
  if not m then
    return record.gone(k, args[1])
  end
  if m.owner ~= '' then
    record.set_flag(m, FLAG_HOLD, true)
    return { 'PENDING' }
  end
  record.unindex(k, m)
  record.set_flag(m, FLAG_HOLD, true)
  record.let_go(k, m, 0)
  return { 'OK' }
end

function operator.release(k, args)
  local m = record.load(k, args[1], k[MSG])
  if not m then
    return record.gone(k, args[1])
  end
  if m.owner == '' then
    record.unindex(k, m)
  end
  record.set_flag(m, FLAG_HOLD, false)
  record.set_flag(m, FLAG_QUARANTINE, false)
  redis.call('HSET', m.key, 'n', 0)
  if m.owner ~= '' then
    return { 'PENDING' }
  end
  record.let_go(k, m, clock.now_ms())
  return { 'OK' }
end

function operator.cancel(k, args)
  local m = record.load(k, args[1], k[MSG])
  if not m then
    return record.gone(k, args[1])
  end
  if m.owner ~= '' then
    record.set_flag(m, FLAG_CANCEL, true)
    return { 'PENDING' }
  end
  record.cancel(k, m)
  return { 'OK' }
end
