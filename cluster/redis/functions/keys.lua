-- keys: what the KEYS of a call are, and the names that only a record or an index can tell.
--
-- Every call about a shard has these five first, all with the shard's hash tag. Then follows what the caller can name:
-- the message's record, its own set or news, the pieces of a body. A record names its owner, its holders and its pieces;
-- those keys are made here, with the same tag, so a call never leaves its slot.
local SHARD, DUE, HELD, GONE, FACTS = 1, 2, 3, 4, 5
-- In calls about one message.
local MSG = 6

local keys = {}

-- A whole number as an argument: Redis would print it as a double, which takes as long as a small command.
local function text(number)
  return string.format('%d', number)
end

-- 'skein:{s3}:' of 'skein:{s3}:shard'.
function keys.base(k)
  local base = k.base
  if not base then
    base = k[SHARD]:sub(1, -6)
    k.base = base
  end
  return base
end

function keys.message(k, id)
  return keys.base(k) .. 'm:' .. id
end

function keys.piece(k, id, index)
  return keys.base(k) .. 'b:' .. id .. ':' .. index
end

function keys.own(k, incarnation)
  return keys.base(k) .. 'own:' .. incarnation
end

function keys.news(k, node)
  return keys.base(k) .. 'gone:' .. node
end

-- Messages whose body only this node has: nobody else may claim them.
function keys.due_at(k, node)
  return keys.base(k) .. 'due:' .. node
end

-- An incarnation is '<uuid>#<epoch>'. Epochs are microseconds: below 2^53, so numbers keep them exactly.
local UUID_LEN = 36

local function node_of(incarnation)
  return incarnation:sub(1, UUID_LEN)
end

local function epoch_of(incarnation)
  return tonumber(incarnation:sub(UUID_LEN + 2))
end

-- True for 'a b c' and 'b'.
local function list_has(list, word)
  return list == word or (' ' .. list .. ' '):find(' ' .. word .. ' ', 1, true) ~= nil
end

local function list_add(list, word)
  if list_has(list, word) then
    return list
  end
  return list == '' and word or list .. ' ' .. word
end
