-- tls: what became of TLS with each domain in a day (UTC), for the reports that some domains want. Keys: due; the counts of
-- a day and a domain lie beside it.
--   due: '<day> <domain>' -> ms when its report is due, or is tried again; days count from 1970
--   rows:<day>:<domain>: '+<what>' -> sessions, '=<policy>' -> its text, 'told <uri>' -> 1, 'attempts'
local TLS_DUE = 1
local DAY_MS = 86400000
-- What is more is not counted.
local TLS_DOMAINS_MAX, TLS_FIELDS_MAX = 20000, 200
-- From the last count on: a day, and all attempts to report.
local TLS_KEEP_MS = 3 * DAY_MS

local tls = {}

local function tls_rows(k, day, domain)
  return k[TLS_DUE]:sub(1, -4) .. 'rows:' .. day .. ':' .. domain
end

-- False: there is no room for another domain.
local function tls_begin(k, rows, day, domain, delay)
  if redis.call('EXISTS', rows) == 1 then
    return true
  end
  if redis.call('ZCARD', k[TLS_DUE]) >= TLS_DOMAINS_MAX then
    return false
  end
  redis.call('ZADD', k[TLS_DUE], text((day + 1) * DAY_MS + delay), text(day) .. ' ' .. domain)
  return true
end

-- tls_count: the longest delay of a report after the end of its day, a number by chance, then domain, field and value, again
-- and again.
function tls.count(k, args)
  local day, delay, chance = math.floor(clock.now_ms() / DAY_MS), tonumber(args[1]), tonumber(args[2])
  for i = 3, #args, 3 do
    local domain, field, value = args[i], args[i + 1], args[i + 2]
    local rows = tls_rows(k, text(day), domain)
    if tls_begin(k, rows, day, domain, (chance + i * 7919000) % (delay + 1)) and
      (redis.call('HLEN', rows) < TLS_FIELDS_MAX or redis.call('HEXISTS', rows, field) == 1) then
      if field:sub(1, 1) == '+' then
        redis.call('HINCRBY', rows, field, value)
      else
        redis.call('HSET', rows, field, value)
      end
      redis.call('PEXPIRE', rows, TLS_KEEP_MS)
    end
  end
  return { 'OK' }
end

-- tls_claim: ms until it is due again, if nobody says that it is done; twice as much after each attempt. Replies day, domain,
-- and all fields with their values; nothing where nothing is due.
function tls.claim(k, args)
  local now = clock.now_ms()
  while true do
    local member = redis.call('ZRANGEBYSCORE', k[TLS_DUE], '-inf', text(now), 'LIMIT', 0, 1)[1]
    if not member then
      return { 'OK' }
    end
    local day, domain = member:match('^(%d+) (.*)$')
    local rows = day and tls_rows(k, day, domain)
    if rows and redis.call('EXISTS', rows) == 1 then
      local attempts = redis.call('HINCRBY', rows, 'attempts', 1)
      redis.call('ZADD', k[TLS_DUE], text(now + args[1] * 2 ^ math.min(attempts - 1, 10)), member)
      local reply = { 'OK', tonumber(day), domain }
      for _, field in ipairs(redis.call('HGETALL', rows)) do
        reply[#reply + 1] = field
      end
      return reply
    end
    redis.call('ZREM', k[TLS_DUE], member)
  end
end

-- tls_told: day, domain, where its report has gone.
function tls.told(k, args)
  local rows = tls_rows(k, args[1], args[2])
  if redis.call('EXISTS', rows) == 1 then
    redis.call('HSET', rows, 'told ' .. args[3], 1)
  end
  return { 'OK' }
end

-- tls_done: day, domain: nothing is left to do.
function tls.done(k, args)
  redis.call('ZREM', k[TLS_DUE], args[1] .. ' ' .. args[2])
  redis.call('DEL', tls_rows(k, args[1], args[2]))
  return { 'OK' }
end
