-- A value is stored without a load. KEYS: entry, flight, and where they can be in one script the state. ARGV: until when this may be
-- done, in ms of the server: what comes later is what the connection's other end had given up; the channel; the message; the entry up
-- to its moment; its moment ('': the state's next); the entry from its checksum on; for how many ms it is kept.
-- Answers {1, ms}; {2, ms}: too late; {3, ms}: the state is gone; {5, ms}: what is there is not ours.
local ms = now()
if ms > tonumber(ARGV[1]) then return { 2, ms } end
if not head(KEYS[1], 4, ENTRY) or not head(KEYS[2], 4, FLIGHT) then return { 5, ms } end
local born = ARGV[5]
if born == '' then
  local moment = redis.call('ZSCORE', KEYS[3], 'm')
  if not moment then return { 3, ms } end
  born = struct.pack('<I8', tonumber(moment) + 1)
end
-- First of all writes: after another, Redis would not refuse it for want of memory.
redis.call('SET', KEYS[1], ARGV[4] .. born .. struct.pack('<I8I8', ms, 0) .. ARGV[6], 'PX', ARGV[7])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return { 1, ms }
