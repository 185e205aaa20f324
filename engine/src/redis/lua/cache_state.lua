-- What every script over the state of a cache knows. Put between cache_words.lua and each of them.
--
-- The state is one sorted set, so that it is there as a whole or not at all. Members and scores: 'm' the last moment; 'c' the moment of
-- the last clear; 'f' what was born up to here counts as invalidated if it has any tag; 't' and a tag: when it was last invalidated;
-- 's' and a tag: when it was last expired, 'a' at which ms, 'u' until which ms at the latest (0: no limit); 'v', a lineage, a zero and a
-- version: since when that is the lineage's.
--
-- Moments begin at the server's time in microseconds, so that a state which was lost and made again is later than all that was
-- before; and so that they can be told from milliseconds.
local RECORDS = 1e13
local MOST = 262144

local function score(member)
  local found = redis.call('ZSCORE', KEYS[1], member)
  return found and tonumber(found) or nil
end

-- The last moment. A state that is not there, or is behind what somebody has seen of it, was lost: all that was stored before is gone.
local function moment(seen, micros)
  local last = score('m')
  if last and last >= seen then return last end
  last = math.max(seen + 1, micros)
  redis.call('ZADD', KEYS[1], whole(last), 'm', whole(last), 'c')
  return last
end

-- The oldest records go when there are too many; what they were about counts as invalidated.
local function fold()
  if redis.call('ZCARD', KEYS[1]) <= MOST then return end
  local old = redis.call('ZRANGEBYSCORE', KEYS[1], whole(RECORDS), '+inf', 'WITHSCORES', 'LIMIT', 0, 512)
  local floor = 0
  for i = 1, #old, 2 do
    local member = old[i]
    local kind = string.sub(member, 1, 1)
    if kind == 't' or kind == 's' then
      floor = math.max(floor, tonumber(old[i + 1]))
      redis.call('ZREM', KEYS[1], member)
      if kind == 's' then
        redis.call('ZREM', KEYS[1], 'a' .. string.sub(member, 2), 'u' .. string.sub(member, 2))
      end
    end
  end
  if floor > (score('f') or 0) then redis.call('ZADD', KEYS[1], whole(floor), 'f') end
end
