-- One key of one limit as it lies in Redis. Owns its envelope and the only clock. Never overwrites what is not its own.
--
-- A cell is a text: "x" and 16 digits, until when it is blocked, if it is; "z" and 16 digits, when it was reset, if it was; then what
-- its algorithm keeps, which begins with the algorithm's letter, and last the nonces of the latest charges, 8 bytes each.
--
-- All numbers are whole and of microseconds or units. Doubles hold them exactly below 2^53, and whoever calls sees to it that
-- now + 2 · window and now + tolerance + patience stay below.
local byte, find, format, sub = string.byte, string.find, string.format, string.sub
local floor, max = math.floor, math.max

-- How far ahead of now what was stored may lie before it is the leftover of a clock that jumped.
local BUCKET_SLACK, WINDOW_SLACK = 0, 1000000
local NONCES = 16 * 8

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- What lies under a key: its text without envelope, when it was reset, until when it is blocked. Of what cannot be read: nil and why.
local function found(key)
  local cell = redis.pcall('GET', key)
  if not cell then
    return '', '', 0
  end
  if type(cell) == 'table' then
    return nil, cell
  end
  local reset, blocked = '', 0
  if byte(cell) == 120 then
    blocked, cell = tonumber(sub(cell, 2, 17)), sub(cell, 18)
    if not blocked then
      return nil, { err = 'WRONGTYPE another application has data here' }
    end
  end
  if byte(cell) == 122 then
    reset, cell = sub(cell, 1, 17), sub(cell, 18)
    if not tonumber(sub(reset, 2)) then
      return nil, { err = 'WRONGTYPE another application has data here' }
    end
  end
  return cell, reset, blocked
end

-- Whether the trouble is of one key alone. Any other is an answer for the whole script: read only, out of memory.
local function foreign(trouble)
  return find(trouble.err, 'WRONGTYPE', 1, true)
end

-- Units that a number means where each counts as `unit`; nil if it means none.
local function counted(text, unit)
  local count = tonumber(text)
  count = count and floor(count / unit + 0.5)
  return count and format('%.0f', count * unit) == text and count or nil
end

-- Whether the text is a cell of some limit; of a window's own, where `unit` is more than 0.
local function own(cell, unit)
  if unit and unit > 0 then
    return cell == '' or counted(cell, unit)
  end
  local letter = byte(cell)
  if letter == 98 then
    return #cell >= 33 and tonumber(sub(cell, 2, 33))
  elseif letter == 115 then
    return #cell >= 31 and tonumber(sub(cell, 2, 31))
  elseif letter == 102 then
    return #cell >= 27 and tonumber(sub(cell, 2, 27))
  end
  return cell == ''
end

-- Store a text for `life`; a reset is remembered for `span`, as long as a charge from before it could be given back. Nil, or why not.
local function store(key, reset, text, life, span)
  if reset ~= '' then
    local left = tonumber(sub(reset, 2)) + span - now
    if left > 0 then
      text, life = reset .. text, max(life, left)
    end
  end
  -- Rounded up: it is gone when it says nothing any more, not before.
  local done = redis.pcall('SET', key, text, 'PX', format('%.0f', max(1, math.ceil(life / 1000))))
  if done.err then
    return done
  end
end
