-- What each algorithm says to a charge. Owns the arithmetic, which is that of the policies of the engine. Never writes.
--
-- A judge takes a cell, the cost, three numbers of the rate, the nonce, the least that will do, and one more number; and answers:
-- units granted, from the least to the cost, or 0, or -2 if this very charge was made before, -4 if the key is of another window;
-- what it found, a number or a text of several; and if something has to be stored the text, its life, and whether what lies there lasts
-- as long. Nil: another application's data.
local judges = {}

-- Whether a charge is among those a cell remembers: where one nonce ends and the next begins, the bytes of a third may stand.
local function repeated(cell, nonce)
  local at = find(cell, nonce, 27, true)
  while at and (at - 27) % 8 ~= 0 do
    at = find(cell, nonce, at + 1, true)
  end
  return at
end

-- "b": until when its text lasts, the tick at which the bucket is full, how far ahead that may lie. The rate: period, tolerance, reach;
-- patience.
function judges.b(cell, cost, period, tolerance, reach, nonce, least, patience)
  local ends, tat, jumped = 0, 0, false
  if cell ~= '' then
    local far
    ends, tat, far = kept(cell, 98)
    if not ends then
      return nil
    elseif repeated(cell, nonce) then
      return -2, tat
    end
    reach = max(reach, far)
    if tat > now + max(tolerance, reach) + BUCKET_SLACK then
      ends, tat, jumped = 0, now + tolerance, true
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
    local lasts = full <= ends
    if not lasts then
      -- A quarter longer than it says something, so that it lasts for the next charges too.
      ends = full + floor((full - now) / 4)
    end
    return units, tat, made('b\1', ends, full, reach, cell, nonce), ends - now, lasts
  elseif jumped and cost > 0 then
    -- Only the leftover of a jumped clock is written on a denial: nobody stays locked out for longer than the burst.
    return 0, tat, made('b\1', tat, tat, reach, cell), tolerance
  end
  return 0, tat
end

-- What was found of a window, as a text.
local function numbers(id, count, current)
  return format('%.0f %.0f %.0f', id, count, current or 0)
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

-- "f": the window's number, units spent in it. The rate: limit, width.
function judges.f(cell, cost, limit, width, _, nonce, least)
  local id, count, jumped, stored = floor(now / width), 0, false, nil
  if cell ~= '' then
    stored, count = kept(cell, 102)
    if not stored then
      return nil
    elseif repeated(cell, nonce) then
      return -2, numbers(stored, count)
    elseif stored < id then
      count = 0
    else
      id, _, jumped = standing(stored, id, width)
    end
  end
  local units = granted(limit - count, cost, least)
  if units > 0 or (jumped and cost > 0) then
    local text = made('f\1', id, count + units, 0, cell, units > 0 and nonce)
    return units, numbers(id, count), text, (id + 1) * width - now, stored == id
  end
  return 0, numbers(id, count)
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

-- "s": the window's number, units spent in the one before and in it. The rate: limit, width, scale; 2^shift.
function judges.s(cell, cost, limit, width, scale, nonce, least, step)
  local id, previous, current, early, jumped, stored = floor(now / width), 0, 0, 0, false, nil
  local into = now - id * width
  if cell ~= '' then
    stored, previous, current = kept(cell, 115)
    if not stored then
      return nil
    elseif repeated(cell, nonce) then
      return -2, numbers(stored, previous, current)
    elseif stored < id then
      previous, current = stored == id - 1 and current or 0, 0
    else
      id, early, jumped = standing(stored, id, width)
      into = early > 0 and 0 or into
    end
  end
  local spent = current
  if previous > 0 then
    spent = share(previous, scale - floor(into / max(1, step)), scale) + current
  end
  local units = granted(limit - spent, cost, least)
  if units > 0 or (jumped and cost > 0) then
    local text = made('s\1', id, previous, current + units, cell, units > 0 and nonce)
    return units, numbers(id, previous, current), text, (id + 2) * width - now, stored == id
  end
  return 0, numbers(id, previous, current)
end

-- What six arguments ask from ARGV[a] on: letter, cost, three numbers of the rate, and more: nothing, or "least looks number". The
-- judge; his arguments but for the cell and the nonce; whether he only looks.
local function asked(a)
  local letter, cost, more = ARGV[a], tonumber(ARGV[a + 1]), ARGV[a + 5]
  local least, looks, number = cost, '0', 0
  if more ~= '' then
    least, looks, number = string.match(more, '^(%d+) (%d) (%d+)$')
  end
  return judges[letter], cost, tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4]), tonumber(least), tonumber(number), looks == '1'
end
