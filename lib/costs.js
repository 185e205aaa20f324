// What a call to a limiter may cost. Owns the error for what is no cost, and which of several charges was wrong.
// Never asked while all is well: native code reads costs by itself.
'use strict'

const { isKey, keyTrouble } = require('./keys.js')
const { misuse, shown } = require('./misuse.js')
const { details, TROUBLE, troubleOf } = require('./native.js')

/** @typedef {{ kind: string, name: string }} Named */

/**
 * @param {unknown} cost
 * @returns {cost is number}
 */
function isCost(cost) {
  return typeof cost === 'number' && cost >>> 0 === cost
}

/**
 * @param {Named} called
 * @param {unknown} cost
 */
function costTrouble({ kind, name }, cost) {
  const rule = 'must be a whole number from 0 to 4,294,967,295'
  const Base = typeof cost === 'number' ? RangeError : TypeError
  return misuse('E_COST', `the cost of a call to the ${kind} "${name}" ${rule}; got ${shown(cost)}`, { Base })
}

/**
 * Checked beforehand, so that a mistake in one of many charges nothing.
 * @param {Named} called
 * @param {readonly string[]} keys
 * @param {readonly number[] | undefined} costs
 */
function assertMany(called, keys, costs) {
  if (!Array.isArray(keys)) throw misuse('E_KEY', `\`keys\` of consumeMany() must be an array; got ${shown(keys)}`)
  if (costs !== undefined && (!Array.isArray(costs) || costs.length !== keys.length)) {
    const got = Array.isArray(costs) ? `${costs.length} for ${keys.length} keys` : shown(costs)
    throw misuse('E_COST', `\`costs\` of consumeMany() must be an array with a cost for each key; got ${got}`)
  }
  for (let i = 0; i < keys.length; i++) {
    if (!isKey(keys[i])) throw keyTrouble(called, keys[i])
    if (costs !== undefined && !isCost(costs[i])) throw costTrouble(called, costs[i])
  }
}

/**
 * What was wrong with charges that native code could not make.
 * @param {readonly { owner: Named, key: unknown, cost: unknown }[]} charges
 */
function chargesTrouble(charges) {
  const noKey = charges.find(({ key }) => !isKey(key))
  if (details[7] === TROUBLE.KEY && noKey) return keyTrouble(noKey.owner, noKey.key)
  const noCost = charges.find(({ cost }) => !isCost(cost))
  if (details[7] === TROUBLE.COST && noCost) return costTrouble(noCost.owner, noCost.cost)
  return troubleOf('limiter', charges.map(({ owner }) => owner.name).join('", "'))
}

module.exports = { isCost, costTrouble, assertMany, chargesTrouble }
