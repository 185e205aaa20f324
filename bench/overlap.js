// Owns what several threads took together, and whether they ran together at all.
// Must never measure: it is given when each began and ended, and how long each was kept waiting for a processor.
'use strict'

/** @typedef {{ began: bigint, ended: bigint, waitedNs: number }} Stretch nanoseconds, on one clock for all */

/** The share of the time by which threads may begin apart, or be kept waiting, and still count as having run together. */
const DISTURBED = 0.05

/**
 * Threads that others keep from running at the same time do not get into each other's way, and look better than they are.
 * @param {Stretch[]} stretches one of each thread
 * @returns {{ ns: number, undisturbed: boolean }} from the first beginning to the last end
 */
function overlap(stretches) {
  const first = stretches.reduce((least, { began }) => (began < least ? began : least), stretches[0].began)
  const ns = Math.max(...stretches.map(({ ended }) => Number(ended - first)))
  const free = (/** @type {Stretch} */ { began, waitedNs }) =>
    Number(began - first) <= DISTURBED * ns && waitedNs <= DISTURBED * ns
  return { ns, undisturbed: stretches.every(free) }
}

module.exports = { overlap }
