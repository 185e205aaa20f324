-- What has happened to the state since a moment. KEYS: state. ARGV: the last moment that is known (0: none), since when, how many records.
-- Answers {ms, moment, cleared at, floor, up to where the records go, {member, moment, at, until, …}}.
local ms, micros = now()
local last = moment(tonumber(ARGV[1]), micros)
local since = math.max(tonumber(ARGV[2]), RECORDS)
local most = tonumber(ARGV[3])
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. whole(since), '+inf', 'LIMIT', 0, most)
local upto = last
if #found == most then
  -- Records of one moment are told together.
  upto = score(found[most])
  local rest = redis.call('ZRANGEBYSCORE', KEYS[1], whole(upto), whole(upto))
  while #found > 0 and score(found[#found]) == upto do found[#found] = nil end
  for _, member in ipairs(rest) do found[#found + 1] = member end
end
local records = {}
for _, member in ipairs(found) do
  local kind = string.sub(member, 1, 1)
  if kind == 't' or kind == 's' or kind == 'v' then
    local at, ends = 0, 0
    if kind == 's' then
      at = score('a' .. string.sub(member, 2)) or 0
      ends = score('u' .. string.sub(member, 2)) or 0
    end
    records[#records + 1] = member
    records[#records + 1] = whole(score(member))
    records[#records + 1] = whole(at)
    records[#records + 1] = whole(ends)
  end
end
return { ms, whole(last), whole(score('c') or 0), whole(score('f') or 0), whole(upto), records }
