// The native calls under a clock of the user's. Never on the hot path of a spillway without one.
'use strict'

const { misuse, shown } = require('./misuse.js')

/** A clock that goes back by no more than this many milliseconds has not jumped: it is waited for, and nothing is given away. */
const SLACK = 1000

/** What native code can hold, in nanoseconds: until the year 2116. */
const LATEST = 2 ** 62 / 1e6

/**
 * A clock of the user's, read once for each call. When it jumps back, as fake timers do, spans go on from where they were: a rate, a
 * breaker or an age that waited for the old time to come again would lock everybody out.
 */
class Clock {
  #read
  #wall = 0
  /** The latest time that was told, and how far it is ahead of the readings. */
  #latest = -Infinity
  #ahead = 0

  /** @param {() => number} read milliseconds */
  constructor(read) {
    this.#read = read
  }

  /** Milliseconds that never go back. */
  now() {
    this.#wall = timeOf(this.#read)
    const now = this.#wall + this.#ahead
    const behind = this.#latest - now
    if (behind > SLACK) this.#ahead += behind
    else if (behind < 0) this.#latest = now
    return this.#latest
  }

  /** Milliseconds since 1970, read now. */
  read() {
    this.now()
    return this.#wall
  }

  /** The reading behind the last `now()`: milliseconds since 1970, for windows of the calendar. */
  get wall() {
    return this.#wall
  }
}

/**
 * The same calls, each with the time of `clock` handed to its twin.
 * @param {import('./native.js').Native} native
 * @param {Clock} clock
 * @returns {import('./native.js').Native}
 */
function onClock(native, clock) {
  const at = /** @type {any} */ (native)
  const now = () => clock.now()
  return {
    ...native,
    limiterConsume: (id, key, cost = 1) => at.limiterConsumeAt(id, key, cost, now(), clock.wall),
    limiterConsumePlan: (...call) => at.limiterConsumePlanAt(...call, now(), clock.wall),
    limiterPeek: (...call) => at.limiterPeekAt(...call, now(), clock.wall),
    limiterReserve: (...call) => at.limiterReserveAt(...call, now(), clock.wall),
    limiterRefund: (...call) => at.limiterRefundAt(...call, now(), clock.wall),
    limiterUncount: (...call) => at.limiterUncountAt(...call, now(), clock.wall),
    limiterReset: (id, key) => at.limiterResetAt(id, key, now(), clock.wall),
    limiterBlock: (...call) => at.limiterBlockAt(...call, now(), clock.wall),
    limiterUnblock: (id, key) => at.limiterUnblockAt(id, key, now(), clock.wall),
    limiterConsumeMany: (id, rows, ...keys) => at.limiterConsumeManyAt(id, rows, now(), clock.wall, ...keys),
    consumeBoth: (...charges) => at.consumeBothAt(now(), clock.wall, ...charges),
    consumeAll: (...charges) => at.consumeAllAt(now(), clock.wall, ...charges),
    breakerEnter: (id) => at.breakerEnterAt(id, now()),
    breakerEnterKey: (id, key) => at.breakerEnterKeyAt(id, key, now()),
    breakerExit: (id, generation, outcome, tookMs = 0) => at.breakerExitAt(id, generation, outcome, tookMs, now()),
    breakerExitKey: (...call) => at.breakerExitKeyAt(...call, now()),
    breakerIsolate: (id, key) => at.breakerIsolateAt(id, key, now()),
    breakerSave: (id) => at.breakerSaveAt(id, now()),
    breakerRestore: (...call) => at.breakerRestoreAt(...call, now()),
    budgetTake: (id, calls) => at.budgetTakeAt(id, calls, now()),
    bulkheadExit: (id) => at.bulkheadExitAt(id, now()),
    bulkheadTryAcquire: (id, key) => at.bulkheadTryAcquireAt(id, key, now()),
    bulkheadAcquire: (id, rank, key) => at.bulkheadAcquireAt(id, rank, key, now()),
    bulkheadExpire: (id, key) => at.bulkheadExpireAt(id, key, now()),
    giveBack: (receipt) => at.giveBackAt(receipt, now()),
    leave: (receipt) => at.leaveAt(receipt, now()),
    passIn: (...pass) => at.passInAt(...pass, now()),
    passOut: (...pass) => at.passOutAt(...pass, now()),
    cacheGet: (...call) => at.cacheGetAt(...call, now()),
    cacheTagged: (...call) => at.cacheTaggedAt(...call, now()),
    cacheGetMany: (...call) => at.cacheGetManyAt(...call, now()),
    cacheSet: (...call) => at.cacheSetAt(...call, now()),
    cacheSetMany: (...call) => at.cacheSetManyAt(...call, now()),
    cacheDelete: (id, key) => at.cacheDeleteAt(id, key, now()),
    cacheExpire: (id, key) => at.cacheExpireAt(id, key, now()),
    cacheDeletePrefix: (id, prefix) => at.cacheDeletePrefixAt(id, prefix, now()),
    cacheTags: (...call) => at.cacheTagsAt(...call, now()),
    cacheBoard: (...call) => at.cacheBoardAt(...call, now()),
    cacheLand: (...call) => at.cacheLandAt(...call, now()),
    cacheFail: (id, receipt) => at.cacheFailAt(id, receipt, now()),
    cacheUsurp: (id, receipt) => at.cacheUsurpAt(id, receipt, now()),
  }
}

/**
 * @param {() => number} clock
 * @returns {number}
 */
function timeOf(clock) {
  const now = clock()
  if (typeof now !== 'number' || !(now > -Infinity && now <= LATEST)) {
    const rule = `must answer milliseconds since 1970 as a finite number up to ${Math.floor(LATEST).toLocaleString('en-US')}`
    const Base = typeof now === 'number' ? RangeError : TypeError
    throw misuse('E_OPTION', `\`clock\` ${rule}; got ${shown(now)}`, { Base, option: 'clock' })
  }
  return now
}

module.exports = { Clock, onClock }
