-- What every script of the cache knows: the words of an entry and of a flight. Put before each of them.
-- The offsets are those of primitive/remote/cache/record.rs, counted from 1.
local ENTRY = '\245SW1'
local FLIGHT = '\245SWf'

-- The server's time, in whole milliseconds and in microseconds.
local function now()
  local time = redis.call('TIME')
  local micros = time[1] * 1000000 + time[2]
  return math.floor(micros / 1000), micros
end

-- The first `length` bytes of what is there: '' where nothing is, false where it is another application's.
local function head(key, length, magic)
  local bytes = redis.pcall('GETRANGE', key, 0, length - 1)
  if type(bytes) ~= 'string' then return false end
  -- An empty text is somebody's, too.
  if bytes == '' then return redis.call('EXISTS', key) == 0 and bytes end
  return string.sub(bytes, 1, 4) == magic and bytes
end

local function whole(number)
  return string.format('%.0f', number)
end
