-- Who loads a key: whoever asks first, until his lease ends. KEYS: entry, flight. ARGV: the entry that was seen and does not do
-- ('' if none), whether to load whatever is there (1), the token (28 bytes: magic, process, number, version), the lease in ms.
-- Answers {1, ms}: there is another entry now; {2, ms, left}: somebody loads for so many ms yet; {3, ms, fence}: load; {5, ms}: what
-- is there is not ours.
local ms, micros = now()
local there = head(KEYS[1], 14, ENTRY)
local flight = head(KEYS[2], 28, FLIGHT)
if not there or not flight then return { 5, ms } end
if ARGV[2] ~= '1' and there ~= '' and string.sub(there, 7, 14) ~= ARGV[1] then return { 1, ms } end
-- A flight of the same process was led by a thread that does so no more; one of another version brings nothing of use.
if flight ~= '' and string.sub(flight, 5, 12) ~= string.sub(ARGV[3], 5, 12)
  and string.sub(flight, 21, 28) == string.sub(ARGV[3], 21, 28) then
  redis.call('SETRANGE', KEYS[2], 28, 'w')
  return { 2, ms, redis.call('PTTL', KEYS[2]) }
end
redis.call('SET', KEYS[2], ARGV[3] .. '-', 'PX', ARGV[4])
return { 3, ms, whole(micros) }
