-- A load is over. KEYS: entry, flight. ARGV: the token, what to do ('keep' the value, 'replace' what others may have, 'drop' what is there,
-- 'free' the flight only),
-- the channel, the message for who waits, then for a value: the entry up to its moment, its moment, the entry from its checksum on, and for
-- how many ms it is kept. Answers {1, ms}; {0, ms}: the token is gone, so nothing was done; {5, ms}: what is there is not ours.
local ms = now()
local flight = head(KEYS[2], 29, FLIGHT)
if not flight or string.sub(flight, 1, 28) ~= ARGV[1] then return { 0, ms } end
local answer = { 1, ms }
if ARGV[2] ~= 'free' then
  if not head(KEYS[1], 4, ENTRY) then
    answer = { 5, ms }
  elseif ARGV[2] == 'drop' then
    redis.call('UNLINK', KEYS[1])
  else
    -- First of all writes: after another, Redis would not refuse it for want of memory. Whoever waits goes on, whatever comes of it.
    local stored = redis.pcall('SET', KEYS[1], ARGV[5] .. ARGV[6] .. struct.pack('<I8I8', ms, 0) .. ARGV[7], 'PX', ARGV[8])
    if stored.err then answer = stored end
  end
end
redis.call('DEL', KEYS[2])
if string.sub(flight, 29) == 'w' or ARGV[2] == 'replace' then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return answer
