// The kinds of primitives, over memory and over Redis. Owns what each is opened with: how its options are read, its native opening, its
// handle. Never opens one.
'use strict'

const { Breaker } = require('./breaker.js')
const { breakerShape } = require('./breaker-shape.js')
const { Budget } = require('./budget.js')
const { Bulkhead } = require('./bulkhead.js')
const { bulkheadShape, remoteBulkheadShape } = require('./bulkhead-shape.js')
const { Cache } = require('./cache.js')
const { cacheShape } = require('./cache-shape.js')
const { Lease, leaseShape } = require('./lease.js')
const { Limiter } = require('./limiter.js')
const { limitsOf, remoteLimitsOf } = require('./limits.js')
const { RemoteCache } = require('./remote-cache.js')
const { RemoteLimiter } = require('./remote-limiter.js')

/** @typedef {import('./native.js').Native} Native */
/** @typedef {InstanceType<typeof Limiter> | InstanceType<typeof RemoteLimiter>} LimiterHandle */
/** @typedef {InstanceType<typeof Breaker>} BreakerHandle */
/** @typedef {InstanceType<typeof Bulkhead>} BulkheadHandle */
/** @typedef {InstanceType<typeof Cache> | InstanceType<typeof RemoteCache>} AnyCache */
/** @typedef {InstanceType<typeof Budget>} BudgetHandle */
/** @typedef {InstanceType<typeof Lease>} LeaseHandle */
/** @typedef {LimiterHandle | BreakerHandle | BudgetHandle | BulkheadHandle | AnyCache | LeaseHandle} Handle */
/** @typedef {'limiter' | 'breaker' | 'budget' | 'bulkhead' | 'cache' | 'lease'} KindName */
/** @typedef {Record<string, string | undefined> | false} Environment */

/**
 * @typedef {object} Kind
 * @property {(options: unknown, name: string, env: Environment) => any} shape
 * @property {(native: Native) => Function} open
 * @property {new (...args: any[]) => Handle} Handle
 */

/** @type {Record<KindName, Kind>} */
const KINDS = {
  limiter: { shape: limitsOf, open: (native) => native.openLimiter, Handle: Limiter },
  breaker: { shape: breakerShape, open: (native) => native.openBreaker, Handle: Breaker },
  // Its figures are those of a policy's strategies, which have been read.
  budget: { shape: (figures) => figures, open: (native) => native.openBudget, Handle: Budget },
  bulkhead: { shape: bulkheadShape, open: (native) => native.openBulkhead, Handle: Bulkhead },
  cache: { shape: cacheShape, open: (native) => native.openCache, Handle: Cache },
  lease: { shape: leaseShape, open: (native) => native.openLease, Handle: Lease },
}

/** The same over Redis: what can have its state there. A breaker is this process's own, and so is a budget. @type {typeof KINDS} */
const REMOTE_KINDS = {
  ...KINDS,
  limiter: { shape: remoteLimitsOf, open: (native) => native.openRemoteLimiter, Handle: RemoteLimiter },
  bulkhead: { shape: remoteBulkheadShape, open: (native) => native.openRemoteBulkhead, Handle: Bulkhead },
  cache: { ...KINDS.cache, Handle: RemoteCache },
}

module.exports = { KINDS, REMOTE_KINDS }
