// Owns the three figures a set of samples is told by: the median, and the 10th and 90th percentiles around it.
// Must never drop a sample: an outlier belongs to the spread.
'use strict'

/** @typedef {{ p10: number, median: number, p90: number }} Spread */

/**
 * The value below which `share` of the samples lie, between two samples by straight line.
 * @param {number[]} samples
 * @param {number} share 0 to 1
 * @returns {number} NaN when there are no samples
 */
function quantile(samples, share) {
  if (samples.length === 0) return NaN
  const sorted = Float64Array.from(samples).sort()
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const part = place - below
  // Two infinities, or an infinity taken not at all, would give NaN below.
  if (part === 0 || sorted[below] === sorted[below + 1]) return sorted[below]
  return sorted[below] + part * (sorted[below + 1] - sorted[below])
}

/**
 * @param {number[]} samples
 * @returns {Spread}
 */
function spread(samples) {
  return { p10: quantile(samples, 0.1), median: quantile(samples, 0.5), p90: quantile(samples, 0.9) }
}

module.exports = { quantile, spread }
