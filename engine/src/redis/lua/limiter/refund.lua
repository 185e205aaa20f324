-- Charges given back. Owns that nothing is given back twice over a reset, nor into another window than was charged.
-- KEYS: the cells. ARGV: six for each: letter, cost, when it was charged, period or width, unit, nonce. Answers one number for each:
-- 1 if something was given back; -1, and why, for another application's data.
local answers = {}
for i = 1, #KEYS do
  local a = 6 * (i - 1)
  local letter, cost, charged, length = ARGV[a + 1], tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local cell, reset, blocked = found(KEYS[i])
  if not cell and not foreign(reset) then
    return reset
  end
  local text, life = nil, 0
  local void = not cell or cell == '' or (reset ~= '' and charged <= tonumber(sub(reset, 2, 17)))
  if void then
    answers[i] = { cell and 0 or -1, ARGV[a + 6], now, cell and '' or reset.err }
  elseif letter == 'i' then
    local unit = tonumber(ARGV[a + 5])
    local count = counted(cell, unit)
    if count then
      text = format('%.0f', max(0, count - cost) * unit)
      life = (floor(charged / length) + 1) * length - now + 10000000
    end
  elseif letter == 'b' and kept(cell, 98) then
    local ends, tat, reach = kept(cell, 98)
    -- What has refilled by itself since is not given back.
    local full = max(now, tat - max(0, cost * length - max(0, now - charged)))
    if tat <= now then
      full = tat
    end
    text, life = made('b\1', ends, full, reach, cell), ends - now
  elseif letter == 'f' and kept(cell, 102) then
    local id, count = kept(cell, 102)
    if id == floor(charged / length) then
      count = max(0, count - cost)
    end
    text, life = made('f\1', id, count, 0, cell), (id + 1) * length - now
  elseif letter == 's' and kept(cell, 115) then
    local id, previous, current = kept(cell, 115)
    if id == floor(charged / length) then
      current = max(0, current - cost)
    end
    text = made('s\1', id, previous, current, cell)
    life = (id + 2) * length - now
  end
  if text then
    if blocked > now then
      text, life, reset = blockade(blocked) .. reset .. text, max(life, blocked - now), ''
    end
    local trouble = store(KEYS[i], reset, text, life)
    if trouble then
      return trouble
    end
    answers[i] = { 1, ARGV[a + 6], now, '' }
  elseif not void then
    answers[i] = { -1, ARGV[a + 6], now, FOREIGN.err }
  end
end
return answers
