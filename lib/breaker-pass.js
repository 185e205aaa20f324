// A call through a policy at a breaker: let in, and out again, alone or together with a permit of a bulkhead. Owns that it counts once.
// Never makes an Error for a "no".
'use strict'

const { Breaker } = require('./breaker.js')
const { collect } = require('./mailbox.js')
const { NO_PLACE } = require('./gate.js')
const { Refused } = require('./refused.js')

/** @typedef {InstanceType<typeof Breaker>} BreakerHandle */
/** @typedef {InstanceType<typeof import('./gate.js').Gate>} Gate */
/** @typedef {import('./gate.js').Settled} Settled */
/** @typedef {{ generation: number, place: number, began: number }} Pass */
/** @typedef {{ reason: unknown }} Aborted */

/** What `passIn` answers where no permit is free. */
const NO_PERMIT = -2

/**
 * @param {BreakerHandle} breaker
 * @param {string | undefined} key
 * @returns {Pass | InstanceType<typeof Refused>}
 */
function letIn(breaker, key) {
  const gate = Breaker.gateOf(breaker)
  return passed(breaker, gate, gate.enter(key), key)
}

/**
 * How that call counts, now that it has ended.
 * @param {BreakerHandle} breaker
 * @param {Pass} pass
 * @param {Settled} settled
 * @param {Aborted | undefined} aborted what the call was to be aborted by
 */
function letOut(breaker, { generation, place, began }, settled, aborted) {
  const gate = Breaker.gateOf(breaker)
  const outcome = gate.outcomeOf(settled, asSignal(aborted), generation, place)
  gate.leave(generation, place, outcome, gate.took(began))
}

/**
 * Whether everybody may enter without asking.
 * @param {BreakerHandle} breaker
 * @returns {Pass | undefined}
 */
function freely(breaker) {
  const gate = Breaker.gateOf(breaker)
  const generation = gate.freely()
  return generation >= 0 ? passOf(gate, generation, NO_PLACE) : undefined
}

/**
 * Lets a call in together with a permit of a bulkhead, or refuses it.
 * @param {BreakerHandle} breaker without keys
 * @param {number} bulkheadId
 * @param {boolean} bulkheadFirst
 * @returns {Pass | InstanceType<typeof Refused> | undefined} nothing where no permit is free
 */
function letInto(breaker, bulkheadId, bulkheadFirst) {
  const gate = Breaker.gateOf(breaker)
  const generation = gate.native.passIn(gate.id, bulkheadId, bulkheadFirst ? 1 : 0)
  if (generation === NO_PERMIT) return undefined
  return passed(breaker, gate, gate.entered(generation, undefined), undefined)
}

/**
 * How that call counts, and the permit comes back.
 * @param {BreakerHandle} breaker
 * @param {Pass} pass
 * @param {Settled} settled
 * @param {Aborted | undefined} aborted
 * @param {number} bulkheadId
 * @param {() => void} release the permit alone
 */
function letOutOf(breaker, { generation, place, began }, settled, aborted, bulkheadId, release) {
  const gate = Breaker.gateOf(breaker)
  let outcome
  try {
    outcome = gate.outcomeOf(settled, asSignal(aborted), generation, place)
  } catch (error) {
    release()
    throw error
  }
  const tookMs = gate.took(began)
  if (gate.counts(generation, outcome, tookMs)) return release()
  if (gate.native.passOut(gate.id, generation, outcome, tookMs, bulkheadId)) collect()
}

/**
 * @param {BreakerHandle} breaker
 * @param {Gate} gate
 * @param {number} generation
 * @param {string | undefined} key
 * @returns {Pass | InstanceType<typeof Refused>}
 */
function passed(breaker, gate, generation, key) {
  if (generation >= 0) return passOf(gate, generation, gate.place)
  return new Refused('E_OPEN', breaker.name, { retryAfterMs: Breaker.refused(breaker, key) })
}

/**
 * @param {Gate} gate
 * @param {number} generation
 * @param {number} place
 * @returns {Pass}
 */
function passOf(gate, generation, place) {
  return { generation, place, began: gate.begin() }
}

/**
 * @param {Aborted | undefined} aborted
 * @returns {import('./gate.js').Signal | undefined}
 */
function asSignal(aborted) {
  return aborted && { aborted: true, reason: aborted.reason }
}

module.exports = { letIn, letOut, freely, letInto, letOutOf }
