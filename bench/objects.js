// Owns the objects that caches are filled with where it counts how many there are: a key, and a record of 215 bytes of JSON.
// Must never depend on who is asking.
'use strict'

/** Bytes of each as JSON, and of each key. */
const VALUE_BYTES = 215
const KEY_BYTES = 14

/** The n-th key: of the same length as all others, so that an average is what each of them takes. */
const objectKey = (/** @type {number} */ n) => `tenant:${String(n).padStart(KEY_BYTES - 'tenant:'.length, '0')}`

/** The n-th record as it arrives. */
const text = (/** @type {string} */ key) =>
  JSON.stringify({
    id: key,
    name: `Tenant number ${key.slice(-6)}`,
    plan: 'enterprise',
    active: true,
    seats: 250,
    limits: { requests: 10_000, tokens: 2_500_000 },
    regions: ['eu-west', 'us-east'],
    updatedAt: '2026-01-15T09:30:00.000Z',
  })

/** The n-th record, read out of an answer as a loader would: nothing in it is shared with the next one. */
const object = (/** @type {number} */ n) => JSON.parse(text(objectKey(n)))

module.exports = { object, objectKey, VALUE_BYTES, KEY_BYTES }
