// Decisions of a limiter over Redis, from the numbers that src/hot/remote/limiter.rs leaves of each. Owns what these numbers mean.
// Never tells anybody of one.
'use strict'

const { Charges, Decision, Reservation } = require('./decision.js')
const { details } = require('./native.js')

/** @typedef {import('./decision.js').Plan} Plan */
/** @typedef {import('./decision.js').Charge} Charge */
/** @typedef {{ limit: number, name: string }} Owner */

/** By the three lowest bits of who spoke. @type {readonly import('./decision.js').Reason[]} */
const REASONS = ['allowed', 'limited', 'impossible', 'blocked', 'store-unavailable']
const SHADOWED = 8
/** By the number that is left beside it. */
const DECIDED_BY = /** @type {const} */ (['redis', 'lease', 'fail-mode'])
/** Numbers for each key of a consumeMany(). */
const ROW = 7

/**
 * The usual decision: one limit, and a charge that its key and date say all of.
 * @param {Owner} owner
 * @param {string} key
 * @param {number} cost
 */
function admitted(owner, key, cost) {
  const remaining = details[0] | 0
  const decision = new Decision(
    true,
    'allowed',
    owner.limit,
    remaining,
    cost,
    0,
    details[2],
    owner.name,
    owner,
    key,
    details[4],
  )
  decision.decidedBy = DECIDED_BY[details[5]]
  return decision
}

/**
 * @param {Owner} owner
 * @param {readonly { limit: number, name: string }[]} shapes of its limits
 * @param {boolean} ok
 * @param {string} key
 * @param {number} cost
 * @param {Plan | undefined} plan
 * @param {Charge[] | undefined} made undefined for what was charged to this limiter alone, if anything
 * @param {Float64Array} [left]
 * @param {number} [at]
 * @param {boolean} [reserved]
 */
function decisionOf(owner, shapes, ok, key, cost, plan, made, left = details, at = 0, reserved = false) {
  const spoke = left[at + 3]
  const { limit, name } = shapes[(spoke >> 4) & 63]
  const shadowed = (spoke & SHADOWED) !== 0
  const charges = ok ? new Charges(left[at + 4], left[at + 4], shadowed, plan, made ?? [{ owner, key, cost }]) : null
  const reason = REASONS[spoke & 7]
  const units = plan?.limit ?? limit
  const [remaining, retryAfterMs, resetMs] = [left[at] | 0, left[at + 1], left[at + 2]]
  const decision = reserved
    ? new Reservation(ok, reason, units, remaining, cost, retryAfterMs, resetMs, name, charges, key, 0)
    : new Decision(ok, reason, units, remaining, cost, retryAfterMs, resetMs, name, charges, key, 0)
  decision.decidedBy = DECIDED_BY[left[at + 5]]
  if (ok && decision instanceof Reservation) decision.waitMs = left[at + 6]
  return shadowed ? Object.assign(decision, { shadowed: /** @type {const} */ (true) }) : decision
}

module.exports = { admitted, decisionOf, ROW }
