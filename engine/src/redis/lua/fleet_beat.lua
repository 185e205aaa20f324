-- One beat of one process: it is alive, and hears who else is.
-- KEYS: when each was seen (ms), what each says, when each said something else (ms).
-- ARGV: id; what it says, empty if that has not changed; life of a silent one in ms; changes to be told from this ms on.
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local id, said, life, since = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

redis.call('ZADD', KEYS[1], now, id)
if said ~= '' then
  redis.call('HSET', KEYS[2], id, said)
  redis.call('ZADD', KEYS[3], now, id)
end

-- A clock that was set back would keep the dead alive until it is as late again.
for _, early in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  redis.call('ZADD', KEYS[1], now, early)
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - life))) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('HDEL', KEYS[2], gone)
  redis.call('ZREM', KEYS[3], gone)
end
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], life * 4)
end

local news = {}
for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], since, '+inf')) do
  news[#news + 1] = other
  news[#news + 1] = redis.call('HGET', KEYS[2], other) or ''
end
return { now, redis.call('HEXISTS', KEYS[2], id), redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES'), news }
