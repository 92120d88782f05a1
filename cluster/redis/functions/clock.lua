-- clock: how time is read, and nothing else. The simulation builds the library with another file in this place.
local clock = {}

function clock.now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

function clock.now_ms()
  return math.floor(clock.now_us() / 1000)
end
