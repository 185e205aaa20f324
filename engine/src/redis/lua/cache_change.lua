-- What concerns many values at once. KEYS: state. ARGV: the last moment that is known, until when this may be done in ms ('' : whenever),
-- the channel, the head of the message, what is to happen, then by that: 't' and tags; 's', for how many ms at most ('' : no limit), and tags; 'c';
-- 'v', the lineage, its version, the member there was for it ('' if none).
-- Answers {1, ms, moment, at, until}; {2, ms}: too late.
local ms, micros = now()
if ARGV[2] ~= '' and ms > tonumber(ARGV[2]) then return { 2, ms } end
local known = moment(tonumber(ARGV[1]), micros)
local last = known + 1
local at, ends = 0, 0
local what = ARGV[5]
redis.call('ZADD', KEYS[1], whole(last), 'm')
if what == 't' then
  for i = 6, #ARGV do redis.call('ZADD', KEYS[1], whole(last), 't' .. ARGV[i]) end
elseif what == 's' then
  at = ms
  if ARGV[6] ~= '' then ends = ms + tonumber(ARGV[6]) end
  for i = 7, #ARGV do
    redis.call('ZADD', KEYS[1], whole(last), 's' .. ARGV[i], whole(at), 'a' .. ARGV[i], whole(ends), 'u' .. ARGV[i])
  end
elseif what == 'c' then
  redis.call('ZADD', KEYS[1], whole(last), 'c')
elseif what == 'v' then
  if ARGV[8] ~= '' then redis.call('ZREM', KEYS[1], ARGV[8]) end
  redis.call('ZADD', KEYS[1], whole(last), 'v' .. ARGV[6] .. '\0' .. ARGV[7])
end
fold()
local tail = ''
if what == 'v' then
  tail = ARGV[6] .. '\0' .. ARGV[7]
elseif what ~= 'c' then
  tail = table.concat(ARGV, '', what == 't' and 6 or 7)
end
redis.call('PUBLISH', ARGV[3], ARGV[4] .. what .. struct.pack('<I8I8I8', last, at, ends) .. tail)
return { 1, ms, whole(last), whole(at), whole(ends) }
