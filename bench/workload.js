// Owns what every contestant is given: the same keys in the same order, the same values, the same function to guard.
// Must never depend on who is asking.
'use strict'

const { seeded } = require('./interleave.js')

const KEYS = 1000
/** A power of two, so that walking round it is one `&`. */
const VISITS = 8192
const MASK = VISITS - 1

/** A thousand keys of the length a tenant or an address has. */
const keys = Array.from({ length: KEYS }, (_, n) => `tenant:${String(100_000 + n * 7919).slice(0, 9)}`)

/** Which key is asked for next, drawn once: visiting them in the order of insertion would flatter whoever stores them so. */
const random = seeded(20_480_117)
const visits = Array.from({ length: VISITS }, () => keys[Math.floor(random() * KEYS)])

/** A small record of the kind a route handler caches: about 200 bytes of JSON. */
const value = (/** @type {string} */ key) => ({
  id: key,
  name: `Tenant number ${key.slice(-6)}`,
  plan: 'team',
  active: true,
  seats: 25,
  limits: { requests: 10_000, tokens: 2_500_000 },
  regions: ['eu-west', 'us-east'],
  updatedAt: '2026-01-15T09:30:00.000Z',
})

/** The guarded call of breaker and bulkhead: no work of its own, so that what is measured is the guard. */
const guarded = async () => 1

module.exports = { keys, visits, MASK, value, guarded }
