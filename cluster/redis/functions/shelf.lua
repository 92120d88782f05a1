-- shelf: what one node has fetched from somewhere, for all. Keys: names, sizes, bytes, then the thing's own.
--   a thing: hash; text, its serial, when it was made and when it ends (ms). holder, since, until: who fetches it, since when
--     and until when nobody else does. why: that failed, and nobody tries before `until`. gone: the serial of a text that was
--     thrown away
--   names: zset, name -> ms when nothing of it counts any more
--   sizes, bytes: name -> bytes of its text; of all
local shelf = {}

-- A block: a chunk of Lua has at most 200 local names.
do
  local SHELF_NAMES, SHELF_SIZES, SHELF_BYTES, SHELF_THING = 1, 2, 3, 4
  -- So many that have ended are removed by one call.
  local SHELF_TIDY = 100

  -- Where the clock went back since something was written it is younger, and nothing lasts longer by the jump.
  local function left_of(from, ends, now)
    return math.max(0, ends - math.max(now, from))
  end

  local function read_thing(k, now)
    local v = redis.call('HMGET', k[SHELF_THING], 'text', 'serial', 'made', 'ends', 'holder', 'since', 'until', 'why', 'gone')
    local thing = {
      text = v[1] or '', serial = tonumber(v[2] or 0), made = tonumber(v[3] or 0), ends = tonumber(v[4] or 0),
      holder = v[5] or '', since = tonumber(v[6] or 0), till = tonumber(v[7] or 0), why = v[8] or '', gone = tonumber(v[9] or 0),
      last = tonumber(v[2] or 0),
    }
    thing.left = left_of(thing.made, thing.ends, now)
    thing.wait = left_of(thing.since, thing.till, now)
    if thing.left == 0 then
      thing.text, thing.serial = '', 0
    end
    if thing.wait == 0 then
      thing.holder, thing.why = '', ''
    end
    return thing
  end

  local function set_size(k, name, size)
    local before = tonumber(redis.call('HGET', k[SHELF_SIZES], name) or 0)
    if size > 0 then
      redis.call('HSET', k[SHELF_SIZES], name, text(size))
    else
      redis.call('HDEL', k[SHELF_SIZES], name)
    end
    return tonumber(redis.call('INCRBY', k[SHELF_BYTES], text(size - before)))
  end

  -- 'skein:{room}:at:' of 'skein:{room}:names'.
  local function remove_thing(k, name)
    redis.call('DEL', k[SHELF_NAMES]:sub(1, -6) .. 'at:' .. name)
    redis.call('ZREM', k[SHELF_NAMES], name)
    return set_size(k, name, 0)
  end

  local function tidy(k, name, bytes, limits, now)
    for _, other in ipairs(redis.call('ZRANGEBYSCORE', k[SHELF_NAMES], '-inf', text(now), 'LIMIT', 0, SHELF_TIDY)) do
      bytes = remove_thing(k, other)
    end
    while redis.call('ZCARD', k[SHELF_NAMES]) > limits.names or bytes > limits.bytes do
      local first = redis.call('ZRANGE', k[SHELF_NAMES], 0, 1)
      local other = first[1] ~= name and first[1] or first[2]
      if not other then
        return
      end
      bytes = remove_thing(k, other)
    end
  end

  -- Writes what is said of a thing, and keeps the shelf within its limits: what ends first goes first.
  local function write_thing(k, name, thing, limits, now)
    local ends = math.max(thing.serial > 0 and now + thing.left or 0, now + thing.wait)
    redis.call('HSET', k[SHELF_THING], 'text', thing.text, 'serial', text(thing.last), 'made', text(thing.made), 'ends',
      text(thing.serial > 0 and thing.ends or 0), 'holder', thing.holder, 'since', text(thing.since), 'until', text(thing.till),
      'why', thing.why, 'gone', text(thing.gone))
    redis.call('PEXPIRE', k[SHELF_THING], text(ends - now))
    redis.call('ZADD', k[SHELF_NAMES], text(ends), name)
    tidy(k, name, set_size(k, name, #thing.text), limits, now)
  end

  local function limits_of(args, at)
    return { names = tonumber(args[at]), bytes = tonumber(args[at + 1]) }
  end

  -- serial (0: nothing), how old, how long it counts, its text unless the caller has it; the serial that was thrown away;
  -- whether the caller fetches; else how long others do, or wait after a failure, and why
  local function say_thing(thing, known, now, is_granted)
    local is_new = thing.serial > 0 and thing.serial ~= known
    local age = thing.serial > 0 and math.max(0, now - thing.made) or 0
    return { 'OK', thing.serial, age, thing.left, is_new and thing.text or '', thing.gone, is_granted and 1 or 0, thing.wait,
      thing.why }
  end

  -- shelf_read: the serial that the caller knows.
  function shelf.read(k, args)
    local now = clock.now_ms()
    return say_thing(read_thing(k, now), tonumber(args[1]), now, false)
  end

  -- shelf_claim: name, limits, the serial that is of no use to the caller, whether it is bad for all, who asks, how long a
  -- fetch may take. Nobody fetches where another text is there.
  function shelf.claim(k, args)
    local now = clock.now_ms()
    local name, limits, known, holder = args[1], limits_of(args, 2), tonumber(args[4]), args[6]
    local thing = read_thing(k, now)
    local is_bad = args[5] == '1' and known > 0 and thing.serial == known
    if is_bad then
      thing.text, thing.serial, thing.left, thing.gone = '', 0, 0, known
    end
    local is_free = thing.wait == 0 or (thing.holder == holder and thing.why == '')
    local is_granted = is_free and (thing.serial == 0 or thing.serial == known)
    if is_granted then
      thing.holder, thing.since, thing.till, thing.wait = holder, now, now + args[7], tonumber(args[7])
    end
    if is_granted or is_bad then
      write_thing(k, name, thing, limits, now)
    end
    if is_granted then
      thing.wait = 0
    end
    return say_thing(thing, known, now, is_granted)
  end

  -- shelf_put: name, limits, how long it counts, the text. Whoever fetched, this is the newest. Replies its serial.
  function shelf.put(k, args)
    local now = clock.now_ms()
    local name, limits, left = args[1], limits_of(args, 2), tonumber(args[4])
    local thing = read_thing(k, now)
    thing.last = math.max(clock.now_us(), thing.last + 1)
    thing.serial, thing.made, thing.ends, thing.left, thing.text = thing.last, now, now + left, left, args[5]
    thing.holder, thing.since, thing.till, thing.wait, thing.why = '', 0, 0, 0, ''
    write_thing(k, name, thing, limits, now)
    return { 'OK', thing.serial }
  end

  -- shelf_failed: name, limits, who fetched, how long to wait, why. NOT: another fetches by now, or has.
  function shelf.failed(k, args)
    local now = clock.now_ms()
    local name, limits, holder, pause = args[1], limits_of(args, 2), args[4], tonumber(args[5])
    local thing = read_thing(k, now)
    if thing.wait == 0 or thing.holder ~= holder then
      return { 'NOT' }
    end
    thing.since, thing.till, thing.wait, thing.why = now, now + pause, pause, args[6]
    write_thing(k, name, thing, limits, now)
    return 'OK'
  end
end
