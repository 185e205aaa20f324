// Owns how a number is said: counts, shares, times, sizes.
// Never pads and never colours.
'use strict'

const NOTHING = '–'

const count = (/** @type {number} */ value) => Math.round(value).toLocaleString('en-US')

/** @param {number} part @param {number} whole @param {number} [digits] */
const share = (part, whole, digits = 1) => (whole === 0 ? NOTHING : `${((part / whole) * 100).toFixed(digits)} %`)

/** Three digits are all a latency is good for. */
function milliseconds(/** @type {number} */ ms) {
  if (Number.isNaN(ms)) return NOTHING
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms >= 1_000) return `${(ms / 1000).toFixed(2)} s`
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
}

const megabytes = (/** @type {number} */ bytes) => `${count(bytes / 1024 / 1024)} MB`

module.exports = { NOTHING, count, megabytes, milliseconds, share }
