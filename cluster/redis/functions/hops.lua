-- hops: what nodes have found out about next hops, and who may probe one. Keys: board, changes, version, as for bans.
--   board: label -> 'until since made forced state probed prober by why': until when it is so, since when, when that was
--     written, whether an operator says so; until when somebody probes it, and who ('-': nobody)
--   changes: label -> the version that last changed it
local HOP_BOARD, HOP_VERSION = 1, 3
local HOP_UP, HOP_DOWN = 0, 2
-- So long after its pause a hop is down until somebody has probed it; then nobody has mail for it any more.
local HOP_KEEP_MS = 600000
-- Records kept. Beyond, the one that changed longest ago goes.
local HOPS_MAX = 10000

local hops = {}

-- Where the clock went back since a record was written it is younger, and its pause does not grow by the jump.
local function read_hop(k, label, now)
  local record = redis.call('HGET', k[HOP_BOARD], label)
  local ends, first, made, forced, state, probed, prober, by, why =
    (record or ''):match('^(%d+) (%d+) (%d+) (%d) (%d) (%d+) (%S+) (%S+) ?(.*)$')
  if not ends then
    return nil
  end
  local hop = {
    ends = ends, first = first, made = made, is_forced = forced == '1', state = tonumber(state), probed = probed,
    prober = prober, by = by, why = why,
    left = math.max(0, ends - math.max(now, made)), ended = since(tonumber(ends), now), age = since(tonumber(first), now),
    probing = math.max(0, math.min(probed - now, probed - made)),
  }
  if hop.left == 0 and (hop.state ~= HOP_DOWN or hop.ended >= HOP_KEEP_MS) then
    return nil
  end
  return hop
end

local function write_hop(k, label, hop)
  redis.call('HSET', k[HOP_BOARD], label, string.format('%d %d %d %d %d %d %s %s %s', hop.ends, hop.first, hop.made,
    hop.is_forced and 1 or 0, hop.state, hop.probed, hop.prober, hop.by, hop.why))
end

-- report: label, state, for how long, whether an operator says so, who, why. What an operator said holds until it ends: NOT.
function hops.report(k, args)
  local label, state, now, is_forced = args[1], tonumber(args[2]), clock.now_ms(), args[4] == '1'
  local before = read_hop(k, label, now)
  if before and before.is_forced and before.left > 0 and not is_forced then
    return { 'NOT' }
  end
  if state == HOP_UP then
    redis.call('HDEL', k[HOP_BOARD], label)
    -- An operator means the nodes' own findings too.
    if before or is_forced then
      note_change(k, label, HOPS_MAX)
    end
    return 'OK'
  end
  local goes_on = before and before.state == state
  local left = tonumber(args[3])
  if goes_on and not is_forced then
    left = math.max(left, before.left)
  end
  write_hop(k, label, {
    ends = now + left, first = goes_on and now - before.age or now, made = now, is_forced = is_forced, state = state,
    probed = 0, prober = '-', by = args[5], why = args[6],
  })
  note_change(k, label, HOPS_MAX)
  return 'OK'
end

-- probe: label, who asks, how long the probe may take. Replies 0, or the time after which to ask again.
function hops.probe(k, args)
  local label, who, now = args[1], args[2], clock.now_ms()
  local hop = read_hop(k, label, now)
  if not hop or hop.state ~= HOP_DOWN then
    return { 'OK', 0 }
  end
  if hop.left > 0 then
    return { 'OK', hop.left }
  end
  if hop.probing > 0 and hop.prober ~= who then
    return { 'OK', hop.probing }
  end
  hop.prober, hop.probed, hop.made = who, now + args[3], now
  write_hop(k, label, hop)
  return { 'OK', 0 }
end

-- board: since which version. Replies the version, whether it is all, and a row for each change.
function hops.board(k, args)
  local now, known = clock.now_ms(), tonumber(args[1])
  local version = tonumber(redis.call('GET', k[HOP_VERSION]) or 0)
  if known > version then
    known = 0
  end
  local reply = { 'OK', version, known == 0 and 1 or 0 }
  for _, label in ipairs(redis.call('ZRANGEBYSCORE', k[CHANGES], '(' .. text(known), '+inf')) do
    local hop = read_hop(k, label, now)
    if hop then
      reply[#reply + 1] = {
        label, hop.state, hop.left, hop.ended, hop.age, hop.is_forced and 1 or 0, hop.probing > 0 and hop.prober or '', hop.by,
        hop.why,
      }
    elseif known > 0 then
      reply[#reply + 1] = { label, HOP_UP, 0, 0, 0, 0, '', '', '' }
    end
  end
  return reply
end
