// What several limiters are charged together, as consumeAll() is given it. Owns the errors for what it does not take.
// Never charges anything.
'use strict'

const { Limiter } = require('./limiter.js')
const { TOGETHER } = require('./limits.js')
const { misuse, shown } = require('./misuse.js')
const { RemoteLimiter } = require('./remote-limiter.js')

/**
 * The charges that were asked for, each of a limiter that can be charged together with the others.
 * @param {readonly import('../index').LimiterCharge[]} charges
 * @param {import('./native.js').Native} native of the spillway that is asked
 * @param {InstanceType<typeof import('./redis-store.js').RedisStore> | undefined} store
 * @returns {{ owner: any, key: string, cost: number }[]}
 */
function chargesOf(charges, native, store) {
  if (!Array.isArray(charges) || charges.length < 1 || charges.length > TOGETHER) {
    const got = Array.isArray(charges) ? `${charges.length} charges` : shown(charges)
    throw misuse('E_OPTION', `consumeAll() takes an array of 1 to ${TOGETHER} charges; got ${got}`, {
      option: 'charges',
    })
  }
  const made = []
  for (let index = 0; index < charges.length; index++) {
    const { limiter, key, cost = 1 } = charges[index] ?? {}
    if (!(store === undefined ? Limiter.isOn(limiter, native) : RemoteLimiter.isOn(limiter, store))) {
      const rule = `must be a limiter ${store === undefined ? 'on the clock' : 'over the Redis'} of this spillway`
      const option = `charges[${index}].limiter`
      throw misuse('E_OPTION', `\`${option}\` ${rule}; got ${shown(limiter)}`, { option })
    }
    made.push({ owner: limiter, key, cost })
  }
  return made
}

module.exports = { chargesOf }
