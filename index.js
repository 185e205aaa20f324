// The package's face: what index.d.ts promises, and nothing else. Never loads native code at import.
'use strict'

const { presets } = require('./lib/presets.js')
const { Refusal, isRefusal } = require('./lib/refusals.js')
const { Spillway } = require('./lib/spillway.js')

/** @typedef {InstanceType<typeof Spillway>} Bound */

/** @type {Bound | undefined} */
let standard

/** The spillway of this thread that the direct exports are bound to. */
function bound() {
  return (standard ??= new Spillway())
}

/** @param {import('./index').LocalOptions} [options] */
function spillway(options) {
  return new Spillway(options)
}

/** @param {Parameters<Bound['limiter']>} opening */
function limiter(...opening) {
  return bound().limiter(...opening)
}

/** @param {Parameters<Bound['breaker']>} opening */
function breaker(...opening) {
  return bound().breaker(...opening)
}

/** @param {Parameters<Bound['bulkhead']>} opening */
function bulkhead(...opening) {
  return bound().bulkhead(...opening)
}

/** @param {Parameters<Bound['cache']>} opening */
function cache(...opening) {
  return bound().cache(...opening)
}

/** @param {Parameters<Bound['shed']>} opening */
function shed(...opening) {
  return bound().shed(...opening)
}

/** @param {Parameters<Bound['consumeAll']>[0]} charges */
function consumeAll(charges) {
  return bound().consumeAll(charges)
}

module.exports = { spillway, limiter, breaker, bulkhead, cache, shed, consumeAll, presets, Refusal, isRefusal }
