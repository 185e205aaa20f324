// Owns the way to the package under test, one folder up, exactly as a user would load it.
// Must never stand in for it: what cannot be loaded is a reason that gets printed.
'use strict'

/**
 * @template T
 * @typedef {{ found: T, missing?: undefined } | { found?: undefined, missing: string }} Loaded
 */

/**
 * @template T
 * @param {() => T} load
 * @returns {Loaded<T>}
 */
function attempt(load) {
  try {
    return { found: load() }
  } catch (error) {
    // The first sentence is the reason; what follows is advice for a longer page than a table.
    return { missing: String(error instanceof Error ? error.message : error).split(/\n|\. /)[0] }
  }
}

/** The package, after one call that proves its native half is there. @returns {Loaded<any>} */
const spillway = () =>
  attempt(() => {
    const api = require('..')
    const probe = api.spillway({ isolated: true })
    probe.limiter('probe', { limit: 1, window: '1s' }).consume('a')
    return api
  })

/** The Express adapter. @returns {Loaded<any>} */
const expressAdapter = () => attempt(() => require('../adapters/express.js'))

/** The store for express-rate-limit. @returns {Loaded<any>} */
const rateLimitStore = () => attempt(() => require('../adapters/express-rate-limit.js'))

/** An empty native call, the floor under every crossing. @returns {Loaded<() => unknown>} */
const noop = () =>
  attempt(() => {
    const { native } = require('../lib/native.js')
    const call = native().noop
    if (typeof call !== 'function') throw new Error('the addon exports no noop')
    return call
  })

module.exports = { spillway, expressAdapter, rateLimitStore, noop }
