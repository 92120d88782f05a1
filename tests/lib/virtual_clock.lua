-- clock: time as a test sets it, in microseconds.
local clock = {}

function clock.now_us()
  return tonumber(redis.call('GET', 'virtual:clock'))
end

function clock.now_ms()
  return math.floor(clock.now_us() / 1000)
end
