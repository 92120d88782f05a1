-- track: the tracking events of the cluster, in chunks (track_chunk.h). Keys: order, heads, bodies, state.
--   order: zset, name of a chunk -> its place: µs of when it was written, or a little more, so that no two have the same
--   heads, bodies: hashes, name -> those of the chunk
--   state: hash; `bytes` of all of it, `last` place given out, `cut`: place of the last chunk that was let go, `at:<node>`: the
--     last event that this node has brought, as the name of a chunk that began with it
local track = {}

-- A block: a chunk of Lua has at most 200 local names.
do
  local TRACK_ORDER, TRACK_HEADS, TRACK_BODIES, TRACK_STATE = 1, 2, 3, 4
  -- What a chunk takes beside its name, three times, its head and its body.
  local TRACK_OVERHEAD = 300
  -- So many are let go of by one call.
  local TRACK_TRIM = 100

  local function track_remove(k, name)
    local head, body = redis.call('HSTRLEN', k[TRACK_HEADS], name), redis.call('HSTRLEN', k[TRACK_BODIES], name)
    if head == 0 then
      return 0
    end
    redis.call('ZREM', k[TRACK_ORDER], name)
    redis.call('HDEL', k[TRACK_HEADS], name)
    redis.call('HDEL', k[TRACK_BODIES], name)
    return head + body + 3 * #name + TRACK_OVERHEAD
  end

  -- The oldest are let go of, until all fits. The newest stays, whatever the bounds are.
  local function track_trim(k, bytes, bytes_max, oldest)
    local first = redis.call('ZRANGE', k[TRACK_ORDER], 0, TRACK_TRIM, 'WITHSCORES')
    local cut
    for i = 1, #first - 2, 2 do
      if bytes <= bytes_max and tonumber(first[i + 1]) >= oldest then
        break
      end
      bytes = bytes - track_remove(k, first[i])
      cut = first[i + 1]
    end
    if cut then
      redis.call('HSET', k[TRACK_STATE], 'cut', text(tonumber(cut)))
    end
    return bytes
  end

  -- track_put: a chunk's name, head and body; the most bytes of all chunks; ms that one is kept; the node and its last event in
  -- there, or '' and ''; then the names of those that it replaces. The same name again replaces too.
  function track.put(k, args)
    local now, state = clock.now_us(), redis.call('HMGET', k[TRACK_STATE], 'bytes', 'last')
    local place = math.max(now, tonumber(state[2] or 0) + 1)
    local bytes = tonumber(state[1] or 0) - track_remove(k, args[1])
    for i = 8, #args do
      bytes = bytes - track_remove(k, args[i])
    end
    redis.call('HSET', k[TRACK_HEADS], args[1], args[2])
    redis.call('HSET', k[TRACK_BODIES], args[1], args[3])
    redis.call('ZADD', k[TRACK_ORDER], text(place), args[1])
    bytes = bytes + #args[2] + #args[3] + 3 * #args[1] + TRACK_OVERHEAD
    bytes = track_trim(k, bytes, tonumber(args[4]), now - 1000 * args[5])
    redis.call('HSET', k[TRACK_STATE], 'bytes', text(bytes), 'last', text(place))
    if args[6] ~= '' then
      redis.call('HSET', k[TRACK_STATE], 'at:' .. args[6], args[7])
    end
    return { 'OK' }
  end

  -- track_list: 'up' or 'down' from a place on, without it, and how many. Replies the time, the last place that was let go of,
  -- then place, name and head of each.
  function track.list(k, args)
    local up = args[1] == 'up'
    local names = redis.call('ZRANGE', k[TRACK_ORDER], '(' .. args[2], up and '+inf' or '-inf', 'BYSCORE', unpack(
      up and { 'LIMIT', 0, args[3], 'WITHSCORES' } or { 'REV', 'LIMIT', 0, args[3], 'WITHSCORES' }))
    local reply = { 'OK', clock.now_us(), tonumber(redis.call('HGET', k[TRACK_STATE], 'cut') or 0) }
    for i = 1, #names, 2 do
      reply[#reply + 1] = tonumber(names[i + 1])
      reply[#reply + 1] = names[i]
      reply[#reply + 1] = redis.call('HGET', k[TRACK_HEADS], names[i]) or ''
    end
    return reply
  end
end
