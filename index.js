// The package's face: what index.d.ts promises, and nothing else. Never loads native code at import.
'use strict'

const { fallback } = require('./lib/fallback.js')
const { hedge } = require('./lib/hedge.js')
const { http } = require('./lib/http-preset.js')
const limits = require('./lib/presets.js')
const { Refusal, isRefusal } = require('./lib/refusals.js')
const { retry } = require('./lib/retry.js')
const { Spillway } = require('./lib/spillway.js')
const { timeout } = require('./lib/timeout.js')

/** @typedef {InstanceType<typeof Spillway>} Bound */

const presets = Object.freeze({ ...limits.presets, http })

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

/** @param {Parameters<Bound['policy']>} opening */
function policy(...opening) {
  return bound().policy(...opening)
}

/** @param {Parameters<Bound['consumeAll']>[0]} charges */
function consumeAll(charges) {
  return bound().consumeAll(charges)
}

module.exports = {
  spillway,
  limiter,
  breaker,
  bulkhead,
  cache,
  shed,
  policy,
  timeout,
  retry,
  hedge,
  fallback,
  consumeAll,
  presets,
  Refusal,
  isRefusal,
}
