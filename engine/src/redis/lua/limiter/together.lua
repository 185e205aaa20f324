-- Charges that are made all or none: the limits of one key, and of several. Owns that nothing is written on a denial.
-- KEYS: homes, in which blocks are; then a cell for each charge. ARGV: how many homes; for each, whether its block denies ("1");
-- then eight for each charge: six as `asked` takes them, nonce, and whether it counts without denying ("1").
-- Answers: status, nonce, now, which home is blocked (0: none), until when; then for each charge what was granted and what was found.
local homes = tonumber(ARGV[1])
local first = 1 + homes
local nonce = ARGV[first + 7]
local in_shadow, until_when = 0, 0
for h = 1, homes do
  local cell, reset, blocked = found(KEYS[h])
  if not cell then
    if not foreign(reset) then
      return reset
    end
    return { -1, nonce, now, reset.err }
  elseif blocked > now then
    if ARGV[1 + h] == '1' then
      return { -3, nonce, now, h, blocked }
    end
    in_shadow, until_when = h, blocked
  end
end
local answer, pending, denied, repeats = { 0, nonce, now, in_shadow, until_when }, {}, false, false
for part = 1, #KEYS - homes do
  local key, a = KEYS[homes + part], first + 8 * (part - 1)
  local before = pending[key]
  local cell, reset, blocked
  if before then
    cell, reset, blocked = before[1], before[2], before[5]
  else
    cell, reset, blocked = found(key)
    if not cell then
      if not foreign(reset) then
        return reset
      end
      return { -1, nonce, now, reset.err }
    end
  end
  local judge, cost, one, two, three, least, number, looks = asked(a + 1)
  local units, said, text, life, lasts = judge(cell, cost, one, two, three, ARGV[a + 7], least, number)
  if not units then
    return { -1, nonce, now, FOREIGN.err }
  elseif units == -4 then
    return { -4, nonce, now }
  end
  repeats = repeats or units == -2
  if units == 0 and cost > 0 and ARGV[a + 8] ~= '1' then
    denied = true
    -- What was taken before it is not: only leftovers of a jumped clock are stored.
    for other, entry in pairs(pending) do
      pending[other] = entry[4] and entry or nil
    end
  end
  if text and not looks and (units == 0 or not denied) then
    -- What lies there does not last as long as what was about to be stored.
    lasts = lasts and (not before or before[6])
    pending[key] = { text, reset, life, units == 0, blocked, lasts }
  end
  answer[4 + 2 * part], answer[5 + 2 * part] = units, said
end
if not repeats then
  for key, entry in pairs(pending) do
    local text, reset, life, blocked, lasts = entry[1], entry[2], entry[3], entry[5], entry[6]
    if blocked > now then
      -- A limit in shadow is charged also while its key is blocked, and is blocked on.
      text, reset, life, lasts = blockade(blocked) .. reset .. text, '', max(life, blocked - now), false
    end
    local trouble = store(key, reset, text, life, lasts)
    if trouble then
      return trouble
    end
  end
end
answer[1] = repeats and -2 or (denied and 0 or 1)
return answer
