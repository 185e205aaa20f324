-- What each algorithm says to a charge. Owns the arithmetic, which is that of the policies of the engine. Never writes.
--
-- A judge takes a cell, the cost, three numbers of the rate, the nonce, the least that will do, and one more number; and answers:
-- units granted, from the least to the cost, or 0, or -2 if this very charge was made before, -4 if the key is of another window; up
-- to three numbers of what it found; the text and its life if something has to be stored. Nil: another application's data.
local judges = {}

-- Whether a charge is among those a cell remembers from a place on: where one nonce ends and the next begins, the bytes of a third may
-- stand.
local function repeated(cell, nonce, from)
  local at = find(cell, nonce, from, true)
  while at and (at - from) % 8 ~= 0 do
    at = find(cell, nonce, at + 1, true)
  end
  return at
end

-- "b", the tick at which the bucket is full, how far ahead it may lie. The rate: period, tolerance, reach in 16 digits; patience.
function judges.b(cell, cost, period, tolerance, reach, nonce, least, patience)
  period, tolerance = tonumber(period), tonumber(tolerance)
  local tat, jumped = 0, false
  if cell ~= '' then
    tat = tonumber(sub(cell, 2, 17))
    local kept = sub(cell, 18, 33)
    if byte(cell) ~= 98 or not tat or #kept < 16 or not tonumber(kept) then
      return nil
    elseif repeated(cell, nonce, 34) then
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
  local base = tat > now and tat or now
  local free, units = tolerance + patience - (base - now), 0
  if cost * period <= free then
    units = cost
  elseif least < cost then
    units = floor(free / period)
  end
  if units > 0 and units >= least and least * period <= tolerance then
    local full = base + units * period
    return units, tat, nil, nil, format('b%016.0f%s%s%s', full, reach, nonce, sub(cell, 34, 153)), full - now
  elseif jumped and cost > 0 then
    -- Only the leftover of a jumped clock is written on a denial: nobody stays locked out for longer than the burst.
    return 0, tat, nil, nil, format('b%016.0f%s%s', tat, reach, sub(cell, 34)), tolerance
  end
  return 0, tat
end

-- Units granted of those asked for, where so many are free.
local function granted(free, cost, least)
  if cost <= free then
    return cost
  end
  return free >= least and free or 0
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
function judges.f(cell, cost, limit, width, _, nonce, least)
  width = tonumber(width)
  local id, count, early, jumped = floor(now / width), 0, 0, false
  if cell ~= '' then
    local stored = tonumber(sub(cell, 2, 17))
    count = tonumber(sub(cell, 18, 27))
    if byte(cell) ~= 102 or not stored or not count then
      return nil
    elseif repeated(cell, nonce, 28) then
      return -2, stored, count
    elseif stored < id then
      count = 0
    elseif count > 0 then
      id, early, jumped = standing(stored, id, width)
    end
  end
  local units = granted(limit - count, cost, least)
  if units > 0 or (jumped and cost > 0) then
    local nonces = units > 0 and nonce .. sub(cell, 28, 147) or sub(cell, 28)
    return units, id, count, nil, format('f%016.0f%010.0f%s', id, count + units, nonces), (id + 1) * width - now
  end
  return 0, id, count
end

-- ⌈previous · ahead / scale⌉ where ahead ≤ scale < 2^44: bit by bit where the product does not fit.
local function share(previous, ahead, scale)
  if previous * ahead < 9007199254740992 then
    return ceil(previous * ahead / scale)
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

-- "s", the window's number, units spent in the one before and in it. The rate: limit, width, scale; 2^shift.
function judges.s(cell, cost, limit, width, scale, nonce, least, step)
  width, scale, step = tonumber(width), tonumber(scale), max(1, step)
  local id, previous, current, early, jumped = floor(now / width), 0, 0, 0, false
  local into = now - id * width
  if cell ~= '' then
    local stored = tonumber(sub(cell, 2, 17))
    previous, current = tonumber(sub(cell, 18, 24)), tonumber(sub(cell, 25, 31))
    if byte(cell) ~= 115 or not stored or not previous or not current then
      return nil
    elseif repeated(cell, nonce, 32) then
      return -2, stored, previous, current
    elseif stored < id then
      previous, current = stored == id - 1 and current or 0, 0
    elseif previous > 0 or current > 0 then
      id, early, jumped = standing(stored, id, width)
      into = early > 0 and 0 or into
    end
  end
  local spent = current
  if previous > 0 then
    spent = share(previous, scale - floor(into / step), scale) + current
  end
  local units = granted(limit - spent, cost, least)
  if units > 0 or (jumped and cost > 0) then
    local nonces = units > 0 and nonce .. sub(cell, 32, 151) or sub(cell, 32)
    local text = format('s%016.0f%07.0f%07.0f%s', id, previous, current + units, nonces)
    return units, id, previous, current, text, (id + 2) * width - now
  end
  return 0, id, previous, current
end

-- The judge's answer to the seven arguments from ARGV[a + 1] on: letter, cost, three numbers of the rate, nonce, and more: nothing, or
-- "least looks number". And whether it only looks.
local function asked(cell, a)
  local cost, more = tonumber(ARGV[a + 2]), ARGV[a + 7]
  if more == '' then
    return false, judges[ARGV[a + 1]](cell, cost, ARGV[a + 3], ARGV[a + 4], ARGV[a + 5], ARGV[a + 6], cost, 0)
  end
  local least, looks, number = string.match(more, '^(%d+) (%d) (%d+)$')
  return looks == '1',
    judges[ARGV[a + 1]](cell, cost, ARGV[a + 3], ARGV[a + 4], ARGV[a + 5], ARGV[a + 6], tonumber(least), tonumber(number))
end
