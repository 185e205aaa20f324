-- What has happened to the state since a moment. KEYS: state. ARGV: the last moment that is known (0: none), since when, how many records.
-- Answers {ms, moment, cleared at, floor, up to where the records go, {member, moment, at, until, …}}.
local ms, micros = now()
local last = moment(tonumber(ARGV[1]), micros)
local since = math.max(tonumber(ARGV[2]), RECORDS)
local most = tonumber(ARGV[3])
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. whole(since), '+inf', 'WITHSCORES', 'LIMIT', 0, most)
local upto = last
if #found == 2 * most then
  -- Records of one moment are told together.
  upto = tonumber(found[#found])
  while #found > 0 and tonumber(found[#found]) == upto do
    found[#found] = nil
    found[#found] = nil
  end
  local rest = redis.call('ZRANGEBYSCORE', KEYS[1], whole(upto), whole(upto), 'WITHSCORES')
  for _, word in ipairs(rest) do found[#found + 1] = word end
end
local records = {}
for i = 1, #found, 2 do
  local kind = string.sub(found[i], 1, 1)
  if kind == 't' or kind == 's' or kind == 'v' then
    local at, ends = '0', '0'
    if kind == 's' then
      at = redis.call('ZSCORE', KEYS[1], 'a' .. string.sub(found[i], 2)) or '0'
      ends = redis.call('ZSCORE', KEYS[1], 'u' .. string.sub(found[i], 2)) or '0'
    end
    local count = #records
    records[count + 1] = found[i]
    records[count + 2] = found[i + 1]
    records[count + 3] = at
    records[count + 4] = ends
  end
end
return { ms, whole(last), whole(score('c') or 0), whole(score('f') or 0), whole(upto), records }
