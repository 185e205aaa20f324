-- What each algorithm says to a charge. Owns the arithmetic, which is that of the policies of the engine. Never writes.
--
-- Arguments, from ARGV[a + 1] on: letter, cost, least, four numbers of the rate, nonce, whether it only looks ("1").
-- A judge answers: units granted, from `least` to `cost`, or 0, or -2 if this very charge was made before, -4 if the key is of another
-- window; up to three numbers of what it found; the text and its life if something has to be stored; how long a reset is remembered.
-- Nil: another application's data.
local judges = {}

local function repeated(nonces, a)
  local at = find(nonces, ARGV[a + 8], 1, true)
  -- Where one ends and the next begins, the bytes of a third may stand.
  while at and at % 8 ~= 1 do
    at = find(nonces, ARGV[a + 8], at + 1, true)
  end
  return at
end

-- Units granted of those asked for, where so many are free.
local function granted(free, a)
  local cost = tonumber(ARGV[a + 2])
  if cost <= free then
    return cost
  end
  return free >= tonumber(ARGV[a + 3]) and free or 0
end

-- "b", the tick at which the bucket is full, how far ahead it may lie. The rate: period, tolerance, patience, reach (16 digits).
function judges.b(cell, a)
  local period, tolerance, patience, reach =
    tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5]), tonumber(ARGV[a + 6]), ARGV[a + 7]
  local tat, nonces, jumped = 0, '', false
  if cell ~= '' then
    local kept = sub(cell, 18, 33)
    tat, nonces = tonumber(sub(cell, 2, 17)), sub(cell, 34)
    if byte(cell) ~= 98 or not tat or not tonumber(kept) or #kept < 16 then
      return nil
    end
    if repeated(nonces, a) then
      return -2, tat
    end
    -- Of 16 digits each, so the longer way is the greater text.
    if kept > reach then
      reach = kept
    end
    if tat > now + max(tolerance, tonumber(reach)) + BUCKET_SLACK then
      tat, jumped = now + tolerance, true
    end
  end
  local base, units = max(tat, now), 0
  if tonumber(ARGV[a + 3]) * period <= tolerance then
    units = granted(floor((tolerance + patience - (base - now)) / period), a)
  end
  if units > 0 then
    local full = base + units * period
    local text = 'b' .. format('%016.0f', full) .. reach .. ARGV[a + 8] .. sub(nonces, 1, NONCES - 8)
    return units, tat, nil, nil, text, full - now, tonumber(reach)
  elseif jumped and ARGV[a + 2] ~= '0' then
    -- Only the leftover of a jumped clock is written on a denial: nobody stays locked out for longer than the burst.
    return 0, tat, nil, nil, 'b' .. format('%016.0f', tat) .. reach .. nonces, tolerance, tonumber(reach)
  end
  return 0, tat
end

-- Of a window that may be a later one: its number, the time until it begins, whether the clock must have gone back.
local function standing(stored, id, width)
  if stored <= id then
    return id, 0, false
  end
  local early = stored * width - now
  if early <= WINDOW_SLACK then
    return stored, early, false
  end
  return id, 0, true
end

-- "f", the window's number, units spent in it. The rate: limit, width.
function judges.f(cell, a)
  local limit, width = tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5])
  local id, count, nonces, early, jumped = floor(now / width), 0, '', 0, false
  if cell ~= '' then
    local stored = tonumber(sub(cell, 2, 17))
    count, nonces = tonumber(sub(cell, 18, 27)), sub(cell, 28)
    if byte(cell) ~= 102 or not stored or not count then
      return nil
    end
    if repeated(nonces, a) then
      return -2, stored, count
    end
    if stored < id then
      count = 0
    elseif count > 0 then
      id, early, jumped = standing(stored, id, width)
    end
  end
  local units = granted(limit - count, a)
  if units > 0 or (jumped and ARGV[a + 2] ~= '0') then
    local text = 'f' .. format('%016.0f%010.0f', id, count + units)
    nonces = units > 0 and ARGV[a + 8] .. sub(nonces, 1, NONCES - 8) or nonces
    return units, id, count, nil, text .. nonces, (id + 1) * width - now, 2 * width
  end
  return 0, id, count
end

-- ⌈previous · ahead / scale⌉ where ahead ≤ scale < 2^44: bit by bit where the product does not fit.
local function share(previous, ahead, scale)
  if previous * ahead < 9007199254740992 then
    return math.ceil(previous * ahead / scale)
  end
  local whole, rest, bit = 0, 0, 524288
  while bit >= 1 do
    whole, rest = 2 * whole, 2 * rest
    if previous >= bit then
      previous, rest = previous - bit, rest + ahead
    end
    while rest >= scale do
      whole, rest = whole + 1, rest - scale
    end
    bit = bit / 2
  end
  return rest > 0 and whole + 1 or whole
end

-- "s", the window's number, units spent in the one before and in it. The rate: limit, width, 2^shift, scale.
function judges.s(cell, a)
  local limit, width, step, scale =
    tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5]), tonumber(ARGV[a + 6]), tonumber(ARGV[a + 7])
  local id, previous, current, nonces, early, jumped = floor(now / width), 0, 0, '', 0, false
  local into = now - id * width
  if cell ~= '' then
    local stored = tonumber(sub(cell, 2, 17))
    previous, current, nonces = tonumber(sub(cell, 18, 24)), tonumber(sub(cell, 25, 31)), sub(cell, 32)
    if byte(cell) ~= 115 or not stored or not previous or not current then
      return nil
    end
    if repeated(nonces, a) then
      return -2, stored, previous, current
    end
    if stored < id then
      previous, current = stored == id - 1 and current or 0, 0
    elseif previous > 0 or current > 0 then
      id, early, jumped = standing(stored, id, width)
      into = early > 0 and 0 or into
    end
  end
  local spent = share(previous, scale - floor(into / step), scale) + current
  local units = granted(limit - spent, a)
  if units > 0 or (jumped and ARGV[a + 2] ~= '0') then
    local text = 's' .. format('%016.0f%07.0f%07.0f', id, previous, current + units)
    nonces = units > 0 and ARGV[a + 8] .. sub(nonces, 1, NONCES - 8) or nonces
    return units, id, previous, current, text .. nonces, (id + 2) * width - now, 2 * width
  end
  return 0, id, previous, current
end

-- No letter: units spent in one window, each as `unit`, so that INCRBY adds to it and refuses what is over the limit: the sum does not
-- fit 64 bits. The rate: limit, width, unit, the window's number, which is in the key's name too.
local GRACE = 10000000
function judges.i(cell, a)
  local limit, width, unit, id = tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5]), tonumber(ARGV[a + 6]), tonumber(ARGV[a + 7])
  if floor(now / width) ~= id then
    return -4
  end
  local count = 0
  if cell ~= '' then
    count = tonumber(cell)
    count = count and floor(count / unit + 0.5)
    if not count or format('%.0f', count * unit) ~= cell then
      return nil
    end
  end
  local units = granted(limit - count, a)
  if units > 0 then
    -- A little longer than the window: what is late must not find a window of its own.
    local life = (id + 1) * width - now + GRACE
    return units, id, count, nil, format('%.0f', (count + units) * unit), life, life + width
  end
  return 0, id, count
end
