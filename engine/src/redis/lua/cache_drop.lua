-- A value goes, or is left only its grace. KEYS: entry, flight. ARGV: the channel, the message, '' or how long the grace is in ms, how
-- long the time before it is in which a value is stale.
-- Answers {1, ms, whether it was there, or fresh or stale}; {5, ms, 0}: what is there is not ours.
local ms = now()
local there = head(KEYS[1], 62, ENTRY)
local was = 0
if there and there ~= '' then
  if ARGV[3] == '' then
    was = redis.call('UNLINK', KEYS[1])
  elseif #there == 62 then
    local ttl, _, stored, ends = struct.unpack('<I8I8I8I8', there, 31)
    if ends == 0 and ms < stored + ttl / 1000 + tonumber(ARGV[4]) then was = 1 end
    local left = math.min(redis.call('PTTL', KEYS[1]), tonumber(ARGV[3]))
    if left <= 0 then
      redis.call('UNLINK', KEYS[1])
    elseif was == 1 then
      redis.call('SETRANGE', KEYS[1], 54, struct.pack('<I8', ms + left))
      redis.call('PEXPIRE', KEYS[1], left)
    end
  end
end
if head(KEYS[2], 4, FLIGHT) then redis.call('DEL', KEYS[2]) end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return { there and 1 or 5, ms, was }
