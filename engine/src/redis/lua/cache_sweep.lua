-- What a SCAN has found goes, as far as it is ours. KEYS: entries and flights. Answers how many entries went.
local gone = 0
for i = 1, #KEYS do
  local bytes = redis.pcall('GETRANGE', KEYS[i], 0, 3)
  if bytes == ENTRY then
    gone = gone + redis.call('UNLINK', KEYS[i])
  elseif bytes == FLIGHT then
    redis.call('DEL', KEYS[i])
  end
end
return gone
