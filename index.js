'use strict'
// The package's face: what index.d.ts promises, and nothing else. Never loads native code at import.

const { Refusal, isRefusal } = require('./lib/refusals.js')
const { Spillway } = require('./lib/spillway.js')

/** @type {Spillway | undefined} */
let standard

/** The spillway of this thread that the direct exports are bound to. */
function bound() {
  return (standard ??= new Spillway())
}

/** @param {import('./index').LocalOptions} [options] */
function spillway(options) {
  return new Spillway(options)
}

/** @type {Spillway['limiter']} */
function limiter(name, options) {
  return bound().limiter(name, options)
}

/** @type {Spillway['breaker']} */
function breaker(name, options) {
  return bound().breaker(name, options)
}

/** @type {Spillway['bulkhead']} */
function bulkhead(name, options) {
  return bound().bulkhead(name, options)
}

/** @type {Spillway['cache']} */
function cache(name, options) {
  return bound().cache(name, options)
}

module.exports = { spillway, limiter, breaker, bulkhead, cache, Refusal, isRefusal }
