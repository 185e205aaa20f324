-- A key that is denied everything for a while. Owns that the block outlives whatever else the cell has.
-- KEYS: the home; where windows have keys of their own, that of the present one. ARGV: duration (0 lifts the block), width, the
-- window's number, nonce, unit. Answers 1, or for a block that is lifted whether there was one; -4 for a key of another window; -1.
local duration, width = tonumber(ARGV[1]), tonumber(ARGV[2])
if #KEYS > 1 and floor(now / width) ~= tonumber(ARGV[3]) then
  return { -4, ARGV[4], now, '' }
end
local was = 0
local cells = {}
for i = 1, #KEYS do
  local cell, reset, blocked = found(KEYS[i])
  if not cell and not foreign(reset) then
    return reset
  elseif not cell or not own(cell, i == 2 and tonumber(ARGV[5])) then
    return { -1, ARGV[4], now, cell and FOREIGN.err or reset.err }
  end
  was = max(was, blocked > now and 1 or 0)
  cells[i] = { reset .. cell, blocked > 0 }
end
for i = 1, #KEYS do
  local text, marked = cells[i][1], cells[i][2]
  local left, done = max(0, redis.call('PTTL', KEYS[i])) * 1000, nil
  if duration > 0 and (i == 1 or text ~= '') then
    -- A number with a block before it is none: INCRBY refuses it, and who was refused asks here.
    text = blockade(now + duration) .. text
    done = store(KEYS[i], '', text, i == 1 and max(left, duration) or left)
  elseif duration == 0 and marked and text == '' then
    done = redis.pcall('DEL', KEYS[i])
  elseif duration == 0 and marked then
    done = store(KEYS[i], '', text, left)
  end
  if type(done) == 'table' and done.err then
    return done
  end
end
return { duration > 0 and 1 or was, ARGV[4], now, '' }
