-- Holders of each key: token -> until when, in milliseconds of this server. Below zero: the last fence, until
-- when somebody waits, and tokens that were released before they were held.
-- Arguments of each key: limit, ttl, how long to keep a key nobody holds, how long its wish is remembered if it is full, token.
-- Each answer ends with the token, so that it is known from another's.
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)

local function text(number)
  return string.format('%.0f', number)
end

-- After this server's clock went back nobody holds for longer than he asked for, which his token says.
local function clamp(key, ttl)
  local late = redis.call('ZRANGEBYSCORE', key, '(' .. text(now + ttl), '+inf', 'WITHSCORES', 'LIMIT', 0, 100)
  for at = 1, #late, 2 do
    local span = tonumber(string.match(late[at], '%-(%d+)$') or '0')
    if tonumber(late[at + 1]) > now + span then
      redis.call('ZADD', key, text(now + span), late[at])
    end
  end
end

local function ask(key, limit, ttl, keep, mark, token)
  local after = '(' .. text(now)
  local out = redis.pcall('ZCOUNT', key, after, '+inf')
  if type(out) == 'table' then
    return out
  end
  local mine = redis.call('ZSCORE', key, token)
  if mine and tonumber(mine) < 0 then
    -- It was given up, and comes from a connection that was thought dead.
    return { 0, 0, 0, token }
  end
  if out < limit or (mine and tonumber(mine) > now) then
    local stale = redis.call('ZREMRANGEBYSCORE', key, '0', text(now))
    -- What of that below zero has had its time. The fence is in microseconds, and so far below.
    redis.call('ZREMRANGEBYSCORE', key, text(-now), '(0')
    local last = redis.call('ZSCORE', key, 'fence')
    local fence = micros
    if last and -tonumber(last) >= fence then
      fence = 1 - tonumber(last)
    end
    redis.call('ZADD', key, text(now + ttl), token, text(-fence), 'fence')
    if redis.call('PTTL', key) < keep then
      redis.call('PEXPIRE', key, text(keep))
    end
    return { 1, fence, stale, token }
  end
  clamp(key, ttl)
  if mark > 0 then
    redis.call('ZADD', key, text(-now - mark), 'mark')
  end
  local first = redis.call('ZRANGEBYSCORE', key, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return { 0, tonumber(first[2]) - now, 0, token }
end

local replies = {}
for i = 1, #KEYS do
  local at = (i - 1) * 5
  local limit, ttl, keep = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  replies[i] = ask(KEYS[i], limit, ttl, keep, tonumber(ARGV[at + 4]), ARGV[at + 5])
end
return replies
