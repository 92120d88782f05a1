-- alerts: what nodes count, what the leader makes of it, and the notices that have still to be given. Key: the hash `state`;
-- the others lie beside it.
--   state: 'number' of changes, 'at' and 'by': when the leader looked last, and who; 'leader'; 'dropped' notices
--   count:<n>: counter -> its sum in the n-th ten seconds since 1970; logins:<n>: failed logins there, who -> how many
--   nodes: uuid -> ms, a space, what the node says of itself
--   sender:<name>: 'hour' of 'now', messages in it and in the 'last' one, 'mean' of an hour before, of so many 'hours'
--   senders: name -> ms when it sent last; busy: name -> messages in an hour, when it sent last
--   firing: what is not as it should be -> text; silences: what is not told of -> until made by why
--   outbox: id -> ms, a space, a notice; tests: ids and channels to be tried; test:<id>: what came of it
local alerts = {}

-- A block: a chunk of Lua has at most 200 local names.
do
  local ALERTS = 1
  local SLICE_MS, HOUR_MS = 10000, 3600000
  local KEEP = { counts = HOUR_MS + 60000, sender = 15 * 24 * HOUR_MS, node = 24 * HOUR_MS, test = 120000 }
  -- What is more is not counted, or goes.
  local MOST = { senders = 10000, logins = 500, nodes = 1024, firing = 500, outbox = 1000, silences = 200, tests = 10 }
  -- A mean forgets half of what it knows in this many hours, nearly.
  local MEAN_HOURS = 48

  local function alert_key(k, name)
    return k[ALERTS]:sub(1, -6) .. name
  end

  -- Hours end: what was sent in the one that was under way goes into the mean, and those without mail too. Returns the sender as
  -- it is in this hour.
  local function sender_now(key, hour)
    local v = redis.call('HMGET', key, 'hour', 'now', 'last', 'mean', 'hours')
    local s = { hour = hour, now = tonumber(v[2]), last = tonumber(v[3]), mean = tonumber(v[4]), hours = tonumber(v[5]) }
    if not v[1] then
      s.now, s.last, s.mean, s.hours = 0, 0, 0, 0
      return s
    end
    local gone = hour - tonumber(v[1])
    if gone > 0 then
      s.mean = s.mean + (s.now - s.mean) / math.min(s.hours + 1, MEAN_HOURS)
      s.hours = s.hours + gone
      s.mean = s.mean * (1 - 1 / math.min(s.hours, MEAN_HOURS)) ^ math.min(gone - 1, 1000)
      s.last = gone == 1 and s.now or 0
      s.now = 0
    end
    return s
  end

  -- Messages in the sixty minutes before now, as far as two hours can tell.
  local function sender_recent(s, now)
    return math.floor(s.last * (1 - now % HOUR_MS / HOUR_MS) + s.now)
  end

  local function count_sender(k, name, count, now)
    local key, senders, busy = alert_key(k, 'sender:' .. name), alert_key(k, 'senders'), alert_key(k, 'busy')
    local s = sender_now(key, math.floor(now / HOUR_MS))
    s.now = s.now + count
    redis.call('HSET', key, 'hour', text(s.hour), 'now', text(s.now), 'last', text(s.last), 'mean',
      string.format('%.3f', s.mean), 'hours', text(s.hours))
    redis.call('PEXPIRE', key, KEEP.sender)
    redis.call('ZADD', senders, text(now), name)
    redis.call('ZADD', busy, text(sender_recent(s, now)), name)
    if redis.call('ZCARD', senders) > MOST.senders then
      local out = redis.call('ZPOPMIN', senders)[1]
      redis.call('ZREM', busy, out)
      redis.call('DEL', alert_key(k, 'sender:' .. out))
    end
  end

  local function alert_count(key, name, step)
    redis.call('HINCRBY', key, name, step)
    redis.call('PEXPIRE', key, KEEP.counts)
  end

  -- alerts_tell: the node, what it says of itself; how many counters, then counter and step again and again; how many senders,
  -- then name and messages; the rest: who failed to log in, and how often.
  function alerts.tell(k, args)
    local now, at = clock.now_ms(), 3
    local slice = text(math.floor(now / SLICE_MS))
    local nodes, counts, logins = alert_key(k, 'nodes'), alert_key(k, 'count:' .. slice), alert_key(k, 'logins:' .. slice)
    if redis.call('HEXISTS', nodes, args[1]) == 1 or redis.call('HLEN', nodes) < MOST.nodes then
      redis.call('HSET', nodes, args[1], text(now) .. ' ' .. args[2])
    end
    for _ = 1, tonumber(args[at]) do
      alert_count(counts, args[at + 1], args[at + 2])
      at = at + 2
    end
    at = at + 1
    for _ = 1, tonumber(args[at]) do
      count_sender(k, args[at + 1], tonumber(args[at + 2]), now)
      at = at + 2
    end
    for i = at + 1, #args, 2 do
      if redis.call('HLEN', logins) < MOST.logins or redis.call('HEXISTS', logins, args[i]) == 1 then
        alert_count(logins, args[i], args[i + 1])
      end
    end
    return { 'OK' }
  end

  -- Of the slices of a window that ends now, the first one whole: what is in each, added up. Returns name -> number.
  local function alert_sums(k, kind, window, now)
    local all = {}
    for slice = math.floor((now - window) / SLICE_MS), math.floor(now / SLICE_MS) do
      local fields = redis.call('HGETALL', alert_key(k, kind .. text(slice)))
      for i = 1, #fields, 2 do
        all[fields[i]] = (all[fields[i]] or 0) + fields[i + 1]
      end
    end
    return all
  end

  local function nodes_now(k, now)
    local nodes, reply = redis.call('HGETALL', alert_key(k, 'nodes')), {}
    for i = 1, #nodes, 2 do
      local at, said = nodes[i + 1]:match('^(%d+) (.*)$')
      if now - at > KEEP.node then
        redis.call('HDEL', alert_key(k, 'nodes'), nodes[i])
      else
        reply[#reply + 1] = nodes[i]
        reply[#reply + 1] = tonumber(at)
        reply[#reply + 1] = said
      end
    end
    return reply
  end

  -- Those with the most messages of late, `most` of them, from `least` messages an hour on.
  local function busy_now(k, least, most, now)
    local busy, reply = alert_key(k, 'busy'), {}
    for _, name in ipairs(redis.call('ZREVRANGEBYSCORE', busy, '+inf', least, 'LIMIT', 0, most)) do
      local s = sender_now(alert_key(k, 'sender:' .. name), math.floor(now / HOUR_MS))
      local recent = sender_recent(s, now)
      redis.call('ZADD', busy, text(recent), name)
      if recent >= tonumber(least) then
        reply[#reply + 1] = name
        reply[#reply + 1] = recent
        reply[#reply + 1] = math.floor(s.mean + 0.5)
      end
    end
    return reply
  end

  local function silences_now(k, now)
    local silences, reply = redis.call('HGETALL', alert_key(k, 'silences')), {}
    for i = 1, #silences, 2 do
      if tonumber(silences[i + 1]:match('^%d+')) <= now then
        redis.call('HDEL', alert_key(k, 'silences'), silences[i])
      else
        reply[#reply + 1] = silences[i]
        reply[#reply + 1] = silences[i + 1]
      end
    end
    return reply
  end

  -- alerts_look, of the leader: its incarnation, its name, the window in ms; least messages an hour and how many senders; least
  -- failures. Replies now, number, notices in the outbox, dropped ones; firing, silences; counters with their sums; nodes, when
  -- they said it, what; senders, messages of late, mean; who failed to log in, how often; ids of tests and their channels, which
  -- are the caller's from now on.
  function alerts.look(k, args)
    local state, tests, now = k[ALERTS], alert_key(k, 'tests'), clock.now_ms()
    local v = redis.call('HMGET', state, 'number', 'leader', 'dropped')
    if v[2] and v[2] ~= args[1] then
      alert_count(alert_key(k, 'count:' .. text(math.floor(now / SLICE_MS))), 'leader_changes', 1)
    end
    redis.call('HSET', state, 'leader', args[1], 'at', text(now), 'by', args[2])
    local counters, logins = {}, {}
    for name, sum in pairs(alert_sums(k, 'count:', args[3], now)) do
      counters[#counters + 1] = name
      counters[#counters + 1] = sum
    end
    for name, sum in pairs(alert_sums(k, 'logins:', args[3], now)) do
      if sum >= tonumber(args[6]) then
        logins[#logins + 1] = name
        logins[#logins + 1] = sum
      end
    end
    local wanted = redis.call('LRANGE', tests, 0, -1)
    redis.call('DEL', tests)
    return {
      'OK', now, tonumber(v[1] or 0), redis.call('HLEN', alert_key(k, 'outbox')), tonumber(v[3] or 0),
      redis.call('HGETALL', alert_key(k, 'firing')), silences_now(k, now), counters, nodes_now(k, now),
      busy_now(k, args[4], args[5], now), logins, wanted,
    }
  end

  -- alerts_put: the number it goes on from; how many changes, then subject and text ('': it is well again); the rest: ids and
  -- notices for the outbox. NOT: somebody else was faster, and nothing was changed.
  function alerts.put(k, args)
    local state, firing, outbox = k[ALERTS], alert_key(k, 'firing'), alert_key(k, 'outbox')
    local number, now, at = redis.call('HGET', state, 'number') or '0', clock.now_ms(), 2
    if number ~= args[1] then
      return { 'NOT' }
    end
    redis.call('HSET', state, 'number', text(number + 1))
    for _ = 1, tonumber(args[at]) do
      local subject, said = args[at + 1], args[at + 2]
      if said == '' then
        redis.call('HDEL', firing, subject)
      elseif redis.call('HLEN', firing) < MOST.firing or redis.call('HEXISTS', firing, subject) == 1 then
        redis.call('HSET', firing, subject, said)
      end
      at = at + 2
    end
    for i = at + 1, #args, 2 do
      if redis.call('HLEN', outbox) < MOST.outbox then
        redis.call('HSET', outbox, args[i], text(now) .. ' ' .. args[i + 1])
      else
        redis.call('HINCRBY', state, 'dropped', 1)
      end
    end
    return { 'OK' }
  end

  -- alerts_outbox. Replies now, then id, when it was put there, the notice; again and again.
  function alerts.outbox(k)
    local reply = { 'OK', clock.now_ms() }
    local outbox = redis.call('HGETALL', alert_key(k, 'outbox'))
    for i = 1, #outbox, 2 do
      local at, said = outbox[i + 1]:match('^(%d+) (.*)$')
      reply[#reply + 1] = outbox[i]
      reply[#reply + 1] = tonumber(at)
      reply[#reply + 1] = said
    end
    return reply
  end

  -- alerts_given: a notice's id, 1 if nobody took it in time. It leaves the outbox.
  function alerts.given(k, args)
    if redis.call('HDEL', alert_key(k, 'outbox'), args[1]) == 1 and args[2] == '1' then
      redis.call('HINCRBY', k[ALERTS], 'dropped', 1)
    end
    return { 'OK' }
  end

  -- alerts_silence: what, for how many ms, by whom, why. 0 ms: no longer; NOT: it was not silent. HELD: there are too many.
  function alerts.silence(k, args)
    local silences, now = alert_key(k, 'silences'), clock.now_ms()
    silences_now(k, now)
    if args[2] == '0' then
      return { redis.call('HDEL', silences, args[1]) == 1 and 'OK' or 'NOT' }
    end
    if redis.call('HLEN', silences) >= MOST.silences and redis.call('HEXISTS', silences, args[1]) == 0 then
      return { 'HELD' }
    end
    redis.call('HSET', silences, args[1], table.concat({ text(now + args[2]), text(now), args[3], args[4] }, ' '))
    return { 'OK' }
  end

  -- alerts_list. Replies now, when the leader looked last, who that was, notices in the outbox, dropped ones; firing, silences.
  function alerts.list(k)
    local v = redis.call('HMGET', k[ALERTS], 'at', 'by', 'dropped')
    return {
      'OK', clock.now_ms(), tonumber(v[1] or 0), v[2] or '', redis.call('HLEN', alert_key(k, 'outbox')), tonumber(v[3] or 0),
      redis.call('HGETALL', alert_key(k, 'firing')), redis.call('HGETALL', alert_key(k, 'silences')),
    }
  end

  -- alerts_test: an id, a channel ('': all). HELD: there are too many.
  function alerts.test(k, args)
    local tests = alert_key(k, 'tests')
    if redis.call('LLEN', tests) >= 2 * MOST.tests then
      return { 'HELD' }
    end
    redis.call('RPUSH', tests, args[1], args[2])
    redis.call('PEXPIRE', tests, KEEP.test)
    return { 'OK' }
  end

  -- alerts_tested: an id, what came of it.
  function alerts.tested(k, args)
    redis.call('SET', alert_key(k, 'test:' .. args[1]), args[2], 'PX', KEEP.test)
    return { 'OK' }
  end

  -- alerts_outcome: an id. Replies what came of it; '' while that is not known.
  function alerts.outcome(k, args)
    return { 'OK', redis.call('GET', alert_key(k, 'test:' .. args[1])) or '' }
  end
end
