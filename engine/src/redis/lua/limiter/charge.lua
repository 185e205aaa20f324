-- Charges of one limit each, of as many keys as there are. Owns nothing but the loop: one key's trouble is its own.
-- KEYS: the cells. ARGV: for each group of keys that are asked the same how many they are, six arguments as `asked` takes them, and each
-- key's nonce. Answers: now, then for each key what was granted, its nonce, what was found.
local texts = redis.pcall('MGET', unpack(KEYS))
if texts.err then
  return texts
end
local answers, written, last, k, a = { now }, {}, 1, 0, 1
while k < #KEYS do
  local many = tonumber(ARGV[a])
  local judge, cost, one, two, three, least, number, looks = asked(a + 1)
  for n = 1, many do
    k = k + 1
    local key, nonce = KEYS[k], ARGV[a + 6 + n]
    local text = written[key] or texts[k]
    local cell, reset, blocked, units, said, life, lasts
    if text then
      cell, reset, blocked = opened(text)
    else
      -- Nothing, or nothing that MGET reads.
      cell, reset, blocked = found(key)
    end
    if not cell then
      if not foreign(reset) then
        return reset
      end
      units, said = -1, reset.err
    elseif blocked > now then
      units, said = -3, blocked
    else
      units, said, text, life, lasts = judge(cell, cost, one, two, three, nonce, least, number)
      if not units then
        units, said = -1, FOREIGN.err
      elseif text and not looks then
        local trouble, lies = store(key, reset, text, life, lasts)
        if trouble then
          return trouble
        end
        written[key] = lies
      end
    end
    answers[last + 1], answers[last + 2], answers[last + 3] = units, nonce, said
    last = last + 3
  end
  a = a + 7 + many
end
return answers
