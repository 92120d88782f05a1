-- secret: what lies here sealed with the cluster's key. Keys: the version of all, sealed texts, notes, all with the tag
-- {secrets}. The version is a number that each change raises; with the time of the change it says which secrets are meant
-- even after Redis went back. A secret's own version is that of the change that set it.
local VERSION, SEALED, NOTES = 1, 2, 3
local SECRETS_MAX = 256

local secret = {}

local function version_of_all(k)
  local v = redis.call('HMGET', k[VERSION], 'number', 'at')
  return tonumber(v[1] or 0), tonumber(v[2] or 0)
end

local function note_of(k, name)
  local note = redis.call('HGET', k[NOTES], name)
  return note and cjson.decode(note) or { version = '0', at = '0', author = '', key = '' }
end

local function next_version(k)
  local number, at = version_of_all(k)
  number, at = number + 1, math.max(clock.now_ms(), at + 1)
  redis.call('HSET', k[VERSION], 'number', text(number), 'at', text(at))
  return number, at
end

local CHANGED, OTHER, FULL = 1, 0, 2

local function answer(what, note)
  return { 'OK', what, note.version, note.at, note.author, note.key }
end

-- secret_put: name, expected version (0: not there), author, key id, sealed. Replies what happened and the note of what is
-- there now.
function secret.put(k, args)
  local name, note = args[1], note_of(k, args[1])
  if note.version ~= args[2] then
    return answer(OTHER, note)
  end
  if note.version == '0' and redis.call('HLEN', k[NOTES]) >= SECRETS_MAX then
    return answer(FULL, note)
  end
  local number, at = next_version(k)
  note = { version = text(number), at = text(at), author = args[3], key = args[4] }
  redis.call('HSET', k[SEALED], name, args[5])
  redis.call('HSET', k[NOTES], name, cjson.encode(note))
  return answer(CHANGED, note)
end

-- secret_remove: name, expected version. Replies as put.
function secret.remove(k, args)
  local name, note = args[1], note_of(k, args[1])
  if note.version == '0' then
    return { 'GONE', PENDING }
  end
  if note.version ~= args[2] then
    return answer(OTHER, note)
  end
  next_version(k)
  redis.call('HDEL', k[SEALED], name)
  redis.call('HDEL', k[NOTES], name)
  return answer(CHANGED, note)
end

-- secret_list: 1 with the sealed texts. Replies the version of all, then a row per secret, in no order.
function secret.list(k, args)
  local number, at = version_of_all(k)
  local reply = { 'OK', number, at }
  for _, name in ipairs(redis.call('HKEYS', k[NOTES])) do
    local note = note_of(k, name)
    local sealed = args[1] == '1' and redis.call('HGET', k[SEALED], name) or ''
    reply[#reply + 1] = { name, note.version, note.at, note.author, note.key, sealed }
  end
  return reply
end
