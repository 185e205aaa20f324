-- See holders_acquire.lua. Arguments of each key: token, the channel for those who wait, what they are told. Answers whether it held, and the token.
local time = redis.call('TIME')
local now = math.floor((time[1] * 1000000 + time[2]) / 1000)

local function release(key, token, channel, message)
  local held = redis.pcall('ZSCORE', key, token)
  if type(held) == 'table' then
    return held
  end
  if not held then
    -- Whoever gave up asking may be overtaken by his own question: for as long as it would hold, it must not.
    local ttl = tonumber(string.match(token, '%-(%d+)$') or '0')
    redis.call('ZADD', key, string.format('%.0f', -now - ttl), token)
    if redis.call('PTTL', key) < ttl then
      redis.call('PEXPIRE', key, string.format('%.0f', ttl))
    end
    return { 0, token }
  end
  if tonumber(held) < 0 then
    return { 0, token }
  end
  local gone = redis.call('ZREM', key, token)
  if gone == 1 then
    local mark = redis.call('ZSCORE', key, 'mark')
    if mark and -tonumber(mark) > now then
      -- Whoever may not publish still releases: those who wait look by themselves, later.
      redis.pcall('PUBLISH', channel, message)
    end
  end
  return { gone, token }
end

local replies = {}
for i = 1, #KEYS do
  local at = (i - 1) * 3
  replies[i] = release(KEYS[i], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
return replies
