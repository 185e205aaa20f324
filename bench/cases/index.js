// Owns the list of comparisons, in the order they are run and printed.
// Must never load a contestant before its comparison is asked for.
'use strict'

/** @typedef {{ plan: import('../plan.js').Plan, random: () => number }} Arena */
/** @type {Record<string, (arena: Arena) => Promise<import('../duel.js').Report>>} */
const cases = {
  consume: (arena) => require('./consume.js')(arena),
  algorithms: (arena) => require('./algorithms.js')(arena),
  together: (arena) => require('./together.js')(arena),
  threads: (arena) => require('./threads.js')(arena),
  denied: (arena) => require('./denied.js')(arena),
  breaker: (arena) => require('./breaker.js')(arena),
  failing: (arena) => require('./failing.js')(arena),
  open: (arena) => require('./open.js')(arena),
  bulkhead: (arena) => require('./bulkhead.js')(arena),
  queued: (arena) => require('./queued.js')(arena),
  policy: (arena) => require('./policy.js')(arena),
  get: (arena) => require('./get.js')(arena),
  getOrSet: (arena) => require('./get-or-set.js')(arena),
  miss: (arena) => require('./miss.js')(arena),
  many: (arena) => require('./many.js')(arena),
  objects: (arena) => require('./objects.js')(arena),
  workers: (arena) => require('./workers.js')(arena),
  memory: (arena) => require('./memory.js')(arena),
  churn: (arena) => require('./churn.js')(arena),
  flood: (arena) => require('./flood.js')(arena),
  store: (arena) => require('./store.js')(arena),
  redisStrict: (arena) => require('./redis-strict.js')(arena),
  redisSingle: (arena) => require('./redis-single.js')(arena),
  redisLease: (arena) => require('./redis-lease.js')(arena),
  redisCache: (arena) => require('./redis-cache.js')(arena),
  shed: (arena) => require('./shed.js')(arena),
  express: (arena) => require('./express.js')(arena),
}

/** These start a process for every sample by themselves. */
const alone = new Set(['objects', 'workers', 'memory', 'churn', 'flood'])

module.exports = { cases, alone }
