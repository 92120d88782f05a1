-- settled: one character per recipient, '0' pending, else why there is nothing left to do (enum settled in
-- redis_outcome.h). Facts only grow: two reports unite by the greater character.
local PENDING, WITHDRAWN, CANCELLED, DELIVERED = 0, 1, 2, 5

local settled = {}

function settled.is_pending(text)
  return text:find('0', 1, true) ~= nil
end

function settled.unite(a, b)
  if a == b or not b:find('[^0]') then
    return a
  end
  if not a:find('[^0]') then
    return b
  end
  local out = {}
  for i = 1, #a do
    out[i] = string.char(math.max(a:byte(i), b:byte(i)))
  end
  return table.concat(out)
end

-- True when `text` has something for every recipient that `wanted` names.
function settled.covers(text, wanted)
  for i = 1, #wanted do
    if wanted:byte(i) ~= 48 and text:byte(i) == 48 then
      return false
    end
  end
  return true
end

-- Why a message without pending recipients ended: delivered if anyone got it.
function settled.why(text)
  for why = DELIVERED, WITHDRAWN, -1 do
    if text:find(why, 1, true) then
      return why
    end
  end
  return PENDING
end

-- What a journal holder is told: why it ended (pending: it did not), and what is settled.
function settled.news(why, text_of_all)
  return string.char(48 + why) .. text_of_all
end

-- All that is pending becomes `why`.
function settled.close(text, why)
  return (text:gsub('0', tostring(why)))
end
