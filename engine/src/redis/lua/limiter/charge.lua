-- Charges of one limit each, of as many keys as there are. Owns nothing but the loop: one key's trouble is its own.
-- KEYS: the cells. ARGV: nine for each, as the judges take them. Answers for each: what was granted, nonce, now, what was found.
local answers = {}
for i = 1, #KEYS do
  local a = 9 * (i - 1)
  local nonce = ARGV[a + 8]
  local cell, reset, blocked = found(KEYS[i])
  local units, one, two, three, text, life, span
  if cell and blocked <= now then
    units, one, two, three, text, life, span = judges[ARGV[a + 1]](cell, a)
  end
  if not cell and not foreign(reset) then
    return reset
  elseif cell and blocked > now then
    answers[i] = { -3, nonce, now, blocked }
  elseif not units then
    answers[i] = { -1, nonce, now, cell and 'another application has data here' or reset.err }
  else
    if text and ARGV[a + 9] ~= '1' then
      local trouble = store(KEYS[i], reset, text, life, span)
      if trouble then
        return trouble
      end
    end
    answers[i] = { units, nonce, now, one, two or 0, three or 0 }
  end
end
return answers
