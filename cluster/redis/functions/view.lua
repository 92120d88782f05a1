-- view: what an operator sees. Reads only. Keys: list, status: the shard's five. show: the shard's five, record.
local view = {}

local STATE_DUE, STATE_DEFERRED, STATE_OWNED, STATE_HELD, STATE_QUARANTINED = 0, 1, 2, 3, 4

-- When it is due, or nil, whether or not its body is here.
local function due_at(k, m)
  return redis.call('ZSCORE', k[DUE], m.id) or
    m.body_at ~= '' and redis.call('ZSCORE', keys.due_at(k, m.body_at), m.id) or nil
end

local function state_of(k, m, due, now)
  if m.owner ~= '' then
    return STATE_OWNED
  end
  if record.is_parked(m) then
    return record.has(m, FLAG_QUARANTINE) and STATE_QUARANTINED or STATE_HELD
  end
  return due and due - now > 0 and STATE_DEFERRED or STATE_DUE
end

-- The record as claim gives it, then state, owner, due in, holders.
local function row(k, m, now)
  local out = record.reply(k, m, '', now)
  local due = m.owner == '' and due_at(k, m)
  out[#out + 1] = state_of(k, m, due, now)
  out[#out + 1] = m.owner
  out[#out + 1] = due and math.max(0, due - now) or 0
  out[#out + 1] = m.holders
  return out
end

-- The sets that a state is made of, in a fixed order.
local function sets_of(k, state, all)
  if state == STATE_OWNED then
    local sets = {}
    for i, incarnation in ipairs(all.incarnations) do
      sets[i] = keys.own(k, incarnation)
    end
    return sets
  end
  if state == STATE_HELD or state == STATE_QUARANTINED then
    return { k[HELD] }
  end
  local nodes, sets = {}, { k[DUE] }
  for node in pairs(all.nodes) do
    nodes[#nodes + 1] = node
  end
  table.sort(nodes)
  for _, node in ipairs(nodes) do
    sets[#sets + 1] = keys.due_at(k, node)
  end
  return sets
end

-- Ids of one set from a position on, and the next position or nil.
local function page_of(key, state, position, count)
  if state == STATE_OWNED then
    local page = redis.call('SSCAN', key, position, 'COUNT', count)
    return page[2], page[1] ~= '0' and page[1] or nil
  end
  local first = tonumber(position)
  local ids = redis.call('ZRANGE', key, first, first + count - 1)
  return ids, #ids == count and string.format('%.0f', first + count) or nil
end

-- list: state, cursor ('' or '<set>:<position>'), count. Replies the next cursor, then rows.
function view.list(k, args)
  local state, count = tonumber(args[1]), tonumber(args[3])
  local index, position = args[2]:match('^(%d+):(%d+)$')
  index, position = tonumber(index or 1), position or '0'
  local sets, now = sets_of(k, state, fence.read(k)), clock.now_ms()
  local reply = { 'OK', '' }
  while index <= #sets and #reply - 2 < count do
    local ids, next_position = page_of(sets[index], state, position, count - (#reply - 2))
    for _, id in ipairs(ids) do
      local m = record.load(k, id, keys.message(k, id))
      if m then
        reply[#reply + 1] = row(k, m, now)
      end
    end
    if next_position then
      position = next_position
    else
      index, position = index + 1, '0'
    end
  end
  if index <= #sets then
    reply[2] = index .. ':' .. position
  end
  return reply
end

-- show: id
function view.show(k, args)
  local m = record.load(k, args[1], k[MSG])
  if not m then
    return record.gone(k, args[1])
  end
  return { 'OK', row(k, m, clock.now_ms()) }
end

-- status: replies due, deferred, held, quarantined, tombstones, facts, grace, generation, [incarnation, owned ...],
-- [node, news ...].
function view.status(k)
  local all, now = fence.read(k), clock.now_ms()
  local due, deferred, owned, waiting = 0, 0, {}, {}
  for _, key in ipairs(sets_of(k, STATE_DUE, all)) do
    local ready = redis.call('ZCOUNT', key, '-inf', now)
    due = due + ready
    deferred = deferred + redis.call('ZCARD', key) - ready
  end
  for _, incarnation in ipairs(all.incarnations) do
    owned[#owned + 1] = incarnation
    owned[#owned + 1] = redis.call('SCARD', keys.own(k, incarnation))
  end
  for node in pairs(all.nodes) do
    local count = redis.call('HLEN', keys.news(k, node))
    if count > 0 then
      waiting[#waiting + 1] = node
      waiting[#waiting + 1] = count
    end
  end
  return {
    'OK', due, deferred, redis.call('ZCOUNT', k[HELD], 0, 0), redis.call('ZCOUNT', k[HELD], 1, 1),
    redis.call('ZCARD', k[GONE]), redis.call('HLEN', k[FACTS]), math.max(0, (all.grace or 0) - now), all.gen or '',
    owned, waiting,
  }
end

-- age: replies how many messages are due, deferred or owned, and the oldest id ('': none). Ids begin with their time. Of a
-- set with more than 2000 messages those are looked at that are due first, or some that are owned.
function view.age(k)
  local most, all, count, oldest = 2000, fence.read(k), 0, ''
  local function look(ids)
    for _, id in ipairs(ids) do
      if oldest == '' or id < oldest then
        oldest = id
      end
    end
  end
  for _, key in ipairs(sets_of(k, STATE_DUE, all)) do
    count = count + redis.call('ZCARD', key)
    look(redis.call('ZRANGE', key, 0, most - 1))
  end
  for _, key in ipairs(sets_of(k, STATE_OWNED, all)) do
    count = count + redis.call('SCARD', key)
    look(redis.call('SRANDMEMBER', key, most))
  end
  return { 'OK', count, oldest }
end
