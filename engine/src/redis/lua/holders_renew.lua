-- See holders_acquire.lua. Arguments of each key: limit, ttl, how long to keep the key, token. Answers 1, or 0 if the
-- token holds nothing; and the token.
local time = redis.call('TIME')
local now = math.floor((time[1] * 1000000 + time[2]) / 1000)

local function text(number)
  return string.format('%.0f', number)
end

local function renew(key, limit, ttl, keep, token)
  local score = redis.pcall('ZSCORE', key, token)
  if type(score) == 'table' then
    return score
  end
  if not score or tonumber(score) < 0 then
    return { 0, token }
  end
  -- This server's clock may have gone ahead. While the token is there and a place is free, nobody has come after it.
  if tonumber(score) <= now and redis.call('ZCOUNT', key, '(' .. text(now), '+inf') >= limit then
    return { 0, token }
  end
  redis.call('ZADD', key, text(now + ttl), token)
  if redis.call('PTTL', key) < keep then
    redis.call('PEXPIRE', key, text(keep))
  end
  return { 1, token }
end

local replies = {}
for i = 1, #KEYS do
  local at = (i - 1) * 4
  local limit, ttl, keep = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  replies[i] = renew(KEYS[i], limit, ttl, keep, ARGV[at + 4])
end
return replies
