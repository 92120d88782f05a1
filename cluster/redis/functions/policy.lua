-- policy: the versions of the policy. Keys: the current version, texts, notes, all with the tag {policy}.
-- A version is a number; with the time it was made it says which text is meant even after Redis went back.
local CURRENT, TEXTS, NOTES = 1, 2, 3
local VERSIONS_KEPT = 100

local policy = {}

local function current(k)
  local v = redis.call('HMGET', k[CURRENT], 'number', 'at')
  return tonumber(v[1] or 0), tonumber(v[2] or 0)
end

local function note_of(k, number)
  local note = redis.call('HGET', k[NOTES], text(number))
  return note and cjson.decode(note)
end

local function forget_old(k, newest)
  for _, number in ipairs(redis.call('HKEYS', k[NOTES])) do
    if tonumber(number) <= newest - VERSIONS_KEPT or tonumber(number) > newest then
      redis.call('HDEL', k[TEXTS], number)
      redis.call('HDEL', k[NOTES], number)
    end
  end
end

local function write(k, number, at, author, comment, document)
  redis.call('HSET', k[CURRENT], 'number', text(number), 'at', text(at))
  redis.call('HSET', k[TEXTS], text(number), document)
  redis.call('HSET', k[NOTES], text(number),
    cjson.encode { at = text(at), author = author, comment = comment, size = text(#document) })
  forget_old(k, number)
end

-- put: expected number, author, comment, text. Replies 1 and the new number and time, or 0, what is there, and its author.
function policy.put(k, args)
  local number, at = current(k)
  if number ~= tonumber(args[1]) then
    local note = note_of(k, number)
    return { 'OK', 0, number, at, note and note.author or '' }
  end
  at = math.max(clock.now_ms(), at + 1)
  write(k, number + 1, at, args[2], args[3], args[4])
  return { 'OK', 1, number + 1, at, args[2] }
end

-- restore: number, time, author, comment, text: what a node runs, and Redis has lost. Replies as put.
function policy.restore(k, args)
  local number, at = current(k)
  local lost = tonumber(args[1])
  if number >= lost then
    return { 'OK', 0, number, at, '' }
  end
  write(k, lost, tonumber(args[2]), args[3], args[4], args[5])
  return { 'OK', 1, lost, tonumber(args[2]), args[3] }
end

-- get: number, or 0 for the current one. Replies number, time, author, comment, text.
function policy.get(k, args)
  local number = tonumber(args[1])
  if number == 0 then
    number = current(k)
  end
  local note = note_of(k, number)
  if not note then
    return { 'GONE', PENDING }
  end
  return { 'OK', number, note.at, note.author, note.comment, redis.call('HGET', k[TEXTS], text(number)) }
end

-- history. Replies the current number, then a row per version, in no order.
function policy.history(k)
  local number = current(k)
  local reply = { 'OK', number }
  local flat = redis.call('HGETALL', k[NOTES])
  for i = 1, #flat, 2 do
    local note = cjson.decode(flat[i + 1])
    reply[#reply + 1] = { tonumber(flat[i]), note.at, note.author, note.comment, note.size }
  end
  return reply
end
