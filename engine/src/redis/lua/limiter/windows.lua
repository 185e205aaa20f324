-- Windows with cells of their own, which plain commands count. Owns that a script finds them as INCRBY leaves them. Never writes.

-- No letter: units spent in one window, each as `unit`, so that INCRBY adds to it and refuses what is over the limit: the sum does not
-- fit 64 bits. The rate: limit, width, unit; the window's number, which is in the key's name too.
function judges.i(cell, cost, limit, width, unit, _, least, id)
  if floor(now / width) ~= id then
    return -4
  end
  local count = cell == '' and 0 or counted(cell, unit)
  if not count then
    return nil
  end
  local units = granted(limit - count, cost, least)
  if units > 0 then
    -- Ten seconds longer than the window: what is late must not find a window of its own.
    return units, numbers(id, count), format('%.0f', (count + units) * unit), (id + 1) * width - now + 10000000
  end
  return 0, numbers(id, count)
end
