-- One key of one limit as it lies in Redis. Owns its envelope, its layout and the only clock. Never overwrites what is not its own.
--
-- A cell is "x" and 16 digits, until when it is blocked, if it is; "z" and twice 16 digits, when it was reset and until when that
-- matters, if it was; then the algorithm's letter, a byte of 1 and three doubles, eight bytes each with the first one the highest; and
-- last the nonces of the latest charges, 8 bytes each. In text, numbers of 16 digits would cost Redis three times as long to read and write.
--
-- All numbers are whole and of microseconds or units. Doubles hold them exactly below 2^53, and whoever calls sees to it that
-- now + 2 · window and now + tolerance + patience stay below.
local byte, find, format, sub, tonumber = string.byte, string.find, string.format, string.sub, tonumber
local floor, ceil, max = math.floor, math.ceil, math.max
local pack, unpacked = struct.pack, struct.unpack

-- How far ahead of now what was stored may lie before it is the leftover of a clock that jumped.
local BUCKET_SLACK, WINDOW_SLACK = 0, 1000000
local FOREIGN = { err = 'WRONGTYPE another application has data here' }

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- What a text holds: the cell without envelope, when it was reset, until when it is blocked. Of what is not ours: nil and why.
local function opened(cell)
  local first = byte(cell)
  if not first then
    return nil, FOREIGN
  elseif first ~= 120 and first ~= 122 then
    return cell, '', 0
  end
  local reset, blocked = '', 0
  if first == 120 then
    blocked, cell = tonumber(sub(cell, 2, 17)), sub(cell, 18)
    first = byte(cell)
  end
  if first == 122 then
    reset, cell = sub(cell, 1, 33), sub(cell, 34)
    if #reset < 33 or not tonumber(sub(reset, 2, 17)) or not tonumber(sub(reset, 18)) then
      return nil, FOREIGN
    end
  end
  if not blocked then
    return nil, FOREIGN
  end
  return cell, reset, blocked
end

-- The same for what lies under a key. Of what cannot be read: nil and why.
local function found(key)
  local text = redis.pcall('GET', key)
  if not text then
    return '', '', 0
  elseif type(text) == 'table' then
    return nil, text
  end
  return opened(text)
end

-- Whether the trouble is of one key alone. Any other is an answer for the whole script: read only, out of memory.
local function foreign(trouble)
  return find(trouble.err, 'WRONGTYPE', 1, true)
end

-- What stands before the text of a key that is blocked.
local function blockade(blocked)
  return 'x' .. format('%016.0f', blocked)
end

-- The three numbers of a cell with this letter. Nil if it is none.
local function kept(cell, letter)
  if byte(cell) == letter and byte(cell, 2) == 1 and #cell >= 26 and #cell % 8 == 2 then
    local one, two, three = unpacked('>ddd', cell, 3)
    if one >= 0 and two >= 0 and three >= 0 then
      return one, two, three
    end
  end
end

-- The same as a text, with a nonce before the latest that `cell` has, or without.
local function made(mark, one, two, three, cell, nonce)
  if nonce then
    return mark .. pack('>ddd', one, two, three) .. nonce .. sub(cell, 27, 146)
  end
  return mark .. pack('>ddd', one, two, three) .. sub(cell, 27)
end

-- Store a text for `life`, behind what is remembered of a reset; `lasts` if what lies there lasts as long already, which spares Redis
-- half of the work. Nil and what lies there now, or why not.
local function store(key, reset, text, life, lasts)
  local left = reset ~= '' and tonumber(sub(reset, 18)) - now or 0
  if left > 0 then
    text, life, lasts = reset .. text, max(life, left), false
  end
  local done
  if lasts then
    done = redis.pcall('SET', key, text, 'KEEPTTL')
  else
    -- Rounded up: it is gone when it says nothing any more, not before.
    done = redis.pcall('SET', key, text, 'PX', max(1, ceil(life / 1000)))
  end
  if done.err then
    return done
  end
  return nil, text
end
