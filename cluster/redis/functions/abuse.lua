-- abuse: wrong passwords, by account and by address, and bans. All keys have one tag. What an address and its network owe
-- is counted as limits are (limit.lua).
--   an account: f failures, t ms of the last one, p:<token> ms since when an attempt is under way
--   bans: subject -> 'until made bans by why'; what has ended stays for a while, to know how often
--   changes: subject -> the version that last changed it
local BANS, CHANGES, BANS_VERSION = 1, 2, 3
local ATTEMPT_ACCOUNT, ATTEMPT_ADDRESS, ATTEMPT_NETWORK = 4, 5, 6
-- Records kept. Beyond, the one that changed longest ago goes.
local BANS_MAX = 10000

local abuse = {}

-- The clock may have gone back since something was written: then it was written now.
local function since(ms, now)
  return math.max(0, now - math.min(ms, now))
end

-- An attempt without an end, or from the future, has failed.
local function read_account(key, now, window, pending_ms)
  local a = { failures = 0, last = 0, pending = 0, is_known = false }
  local flat, lost = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do
    local field, value = flat[i], tonumber(flat[i + 1])
    a.is_known = true
    if field == 'f' then
      a.failures = a.failures + value
    elseif field == 't' then
      a.last = math.max(a.last, math.min(value, now))
    elseif value <= now and now - value < pending_ms then
      a.pending = a.pending + 1
    else
      a.failures, a.last = a.failures + 1, math.max(a.last, math.min(value, now))
      lost[#lost + 1] = field
    end
  end
  if #lost > 0 then
    redis.call('HDEL', key, unpack(lost))
  end
  if now - a.last >= window then
    a.failures = 0
  end
  return a
end

local function write_account(key, a, keep_ms)
  redis.call('HSET', key, 'f', a.failures, 't', text(a.last))
  redis.call('PEXPIRE', key, text(keep_ms))
end

-- attempt: account key alone. Arguments: token, stop, window, how long an attempt may be under way. Replies 0 ask, 1 stop,
-- 2 busy, and how long until a stop ends.
function abuse.attempt(k, args)
  local key, now = k[1], clock.now_ms()
  local stop, window, pending_ms = tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  local a = read_account(key, now, window, pending_ms)
  if a.failures >= stop then
    write_account(key, a, window)
    return { 'OK', 1, math.max(0, a.last + window - now) }
  end
  if a.failures + a.pending >= stop then
    write_account(key, a, window + pending_ms)
    return { 'OK', 2, 0 }
  end
  redis.call('HSET', key, 'p:' .. args[1], text(now))
  write_account(key, a, window + pending_ms)
  return { 'OK', 0, 0 }
end

-- ended: account key, address counter. Arguments: token, whether the password was right. It clears account and address.
function abuse.ended(k, args)
  redis.call('HDEL', k[1], 'p:' .. args[1])
  if args[2] == '1' then
    redis.call('HDEL', k[1], 'f', 't')
    redis.call('DEL', k[2])
  end
  return 'OK'
end

-- ---- bans ----

local function read_ban(record, now)
  if not record then
    return nil
  end
  local ends, made, count, by, why = record:match('^(%d+) (%d+) (%d+) (%S+) ?(.*)$')
  if not ends then
    return nil
  end
  return { left = math.max(0, ends - math.max(now, made)), ended = since(tonumber(ends), now), made = since(tonumber(made), now),
    count = tonumber(count), by = by, why = why }
end

-- Also of hops, whose first three keys mean the same.
local function note_change(k, subject, most)
  local version = redis.call('INCR', k[BANS_VERSION])
  redis.call('ZADD', k[CHANGES], version, subject)
  if redis.call('ZCARD', k[CHANGES]) > most then
    redis.call('HDEL', k[BANS], redis.call('ZPOPMIN', k[CHANGES])[1])
  end
end

local function write_ban(k, subject, now, ms, ban)
  redis.call('HSET', k[BANS], subject, string.format('%d %d %d %s %s', now + ms, now, ban.count, ban.by, ban.why))
  note_change(k, subject, BANS_MAX)
end

-- One failure more. Replies failures in the window, and the ms of the ban that it brought.
local function count_failure(k, key, subject, now, rule)
  if rule.cost == 0 then
    return 0, 0
  end
  local owes = owed(redis.call('GET', key), now * 1000) + rule.cost
  if owes <= rule.burst then
    write(key, now * 1000, owes)
    return math.ceil(owes / rule.cost), 0
  end
  redis.call('DEL', key)
  local before = read_ban(redis.call('HGET', k[BANS], subject), now)
  local count = before and before.ended <= rule.memory and before.count or 0
  local ms = math.min(rule.last, rule.first * 2 ^ math.min(count, 32))
  write_ban(k, subject, now, ms, { count = count + 1, by = '-', why = rule.why })
  return math.ceil(owes / rule.cost), ms
end

-- failed: keys of bans, account, address, network. Arguments: token ('' none), account's window, whether address and network
-- count, cost and burst of address and of network, first and last ban, memory, address, network. Replies failures of the
-- account, of the address, of the network, ms of the address' ban, of the network's ban.
function abuse.failed(k, args)
  local now, account = clock.now_ms(), { failures = 0 }
  if args[1] ~= '' then
    local window = tonumber(args[2])
    account = read_account(k[ATTEMPT_ACCOUNT], now, window, math.huge)
    -- It is counted already where it was under way for too long.
    if redis.call('HDEL', k[ATTEMPT_ACCOUNT], 'p:' .. args[1]) == 1 then
      account.failures = account.failures + 1
    end
    account.last = now
    write_account(k[ATTEMPT_ACCOUNT], account, window)
  end
  if args[3] ~= '1' then
    return { 'OK', account.failures, 0, 0, 0, 0 }
  end
  local bans = { first = tonumber(args[8]), last = tonumber(args[9]), memory = tonumber(args[10]), why = 'wrong passwords' }
  bans.cost, bans.burst = tonumber(args[4]), tonumber(args[5])
  local of_address, address_ms = count_failure(k, k[ATTEMPT_ADDRESS], args[11], now, bans)
  bans.cost, bans.burst = tonumber(args[6]), tonumber(args[7])
  local of_network, network_ms = count_failure(k, k[ATTEMPT_NETWORK], args[12], now, bans)
  return { 'OK', account.failures, of_address, of_network, address_ms, network_ms }
end

-- ban: subject, ms, who, why
function abuse.ban(k, args)
  write_ban(k, args[1], clock.now_ms(), tonumber(args[2]), { count = 1, by = args[3], why = args[4] })
  return 'OK'
end

-- unban: subject. Its past is forgotten too.
function abuse.unban(k, args)
  local now = clock.now_ms()
  local ban = read_ban(redis.call('HGET', k[BANS], args[1]), now)
  redis.call('HDEL', k[BANS], args[1])
  note_change(k, args[1], BANS_MAX)
  return { ban and ban.left > 0 and 'OK' or 'NOT' }
end

-- bans: since which version. Replies the version, whether it is all, and a row for each change.
function abuse.bans(k, args)
  local now, known = clock.now_ms(), tonumber(args[1])
  local version = tonumber(redis.call('GET', k[BANS_VERSION]) or 0)
  if known > version then
    known = 0
  end
  local reply = { 'OK', version, known == 0 and 1 or 0 }
  for _, subject in ipairs(redis.call('ZRANGEBYSCORE', k[CHANGES], '(' .. text(known), '+inf')) do
    local ban = read_ban(redis.call('HGET', k[BANS], subject), now) or { left = 0, made = 0, count = 0, by = '', why = '' }
    if ban.left > 0 or known > 0 then
      reply[#reply + 1] = { subject, ban.left, ban.made, ban.count, ban.by, ban.why }
    end
  end
  return reply
end
