-- Charges of one limit each, of as many keys as there are. Owns nothing but the loop: one key's trouble is its own.
-- KEYS: the cells. ARGV: seven for each, as `asked` takes them. Answers for each: what was granted, nonce, now, what was found.
local answers = {}
for i = 1, #KEYS do
  local key, a = KEYS[i], 7 * (i - 1)
  local nonce = ARGV[a + 6]
  local cell, reset, blocked = found(key)
  if not cell then
    if not foreign(reset) then
      return reset
    end
    answers[i] = { -1, nonce, now, reset.err }
  elseif blocked > now then
    answers[i] = { -3, nonce, now, blocked }
  else
    local looks, units, one, two, three, text, life = asked(cell, a)
    if not units then
      answers[i] = { -1, nonce, now, FOREIGN.err }
    else
      if text and not looks then
        local trouble = store(key, reset, text, life)
        if trouble then
          return trouble
        end
      end
      answers[i] = { units, nonce, now, one, two, three }
    end
  end
end
return answers
