-- A key that is forgotten. Owns that a charge from before it gives nothing back. A block of it stays.
-- KEYS: the cells. ARGV: nonce, then four for each: how long a charge could be given back; width and number of the window in its name
-- and what a unit counts as there (0 if there is none). Answers 1, -4 for a key of another window, -1 and why if one was not ours.
local answer = { 1, ARGV[1], now, '' }
for i = 1, #KEYS do
  local width = tonumber(ARGV[4 * i - 1])
  if width > 0 and floor(now / width) ~= tonumber(ARGV[4 * i]) then
    return { -4, ARGV[1], now, '' }
  end
end
for i = 1, #KEYS do
  local span, unit = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i + 1])
  local cell, reset, blocked = found(KEYS[i])
  if not cell and not foreign(reset) then
    return reset
  elseif not cell or not own(cell, unit) then
    answer = { -1, ARGV[1], now, cell and FOREIGN.err or reset.err }
  else
    -- Also where nothing was: what is charged at this very microsecond and given back may be from before.
    local text, life = format('z%016.0f%016.0f', now, now + span), span
    if blocked > now then
      text, life = blockade(blocked) .. text, max(life, blocked - now)
    end
    local trouble = store(KEYS[i], '', text, life)
    if trouble then
      return trouble
    end
  end
end
return answer
